"""An Exchange server that fits in memory: for the demo, for the tests, and for whoever tries a client.

It speaks EWS over HTTP as Exchange 2019 does, strictly, and imports nothing of ews_bridge outside this package.

    server.py     run one; frontend.py  HTTP, `/sandbox/`; auth.py, soap.py, faults.py; grammar.py, vocabulary.py  the schema
    operations/   what each EWS operation does          ->  world.py and the rest: mailboxes, properties, MIME, search
    seed.py       mailboxes to begin with
"""
