"""Reading many files at the same time on Apache Beam, with the result of reading them in turn."""
