"""What runs in the process of the SQL engine, apart from the server: it may take all the memory it is given, hang or die.

`python -m fastflow.apps.churn.infra.engine` reads requests from its standard input, one JSON per line, and answers each by
one line. The server starts it and kills it (`infra/duck.py`); it alone imports DuckDB.
"""
