"""Tables of sequence and label, for classifiers: GUE, few-shot sets, your own."""
