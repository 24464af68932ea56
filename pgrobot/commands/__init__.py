"""The verbs of the command ``pgrobot``, a file each: words in, exit status out."""
