"""The sub-commands of `lrcourse`, one file each: `add` says what it takes, `run` what it does.

Those whose files are here exist: the student edition has fewer.
"""
