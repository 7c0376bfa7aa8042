"""What stands beside every run: zygote, sandbox, supervisor.

Standard library only, valid from Python 3.9 on, importing nothing of `fastflow`: these files run under the
interpreter of whatever environment a pipeline has, started as `python -I -S FOLDER COMMAND`, with the folder itself on
the path. That is why they import one another by bare name.
"""
