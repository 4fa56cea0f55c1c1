"""Raw files -> ArrayRecord of bases and labels. Run once, on a CPU machine."""
