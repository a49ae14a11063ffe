"""How fast it is: `python -m tests.bench`, or `make bench`. Prints a table and writes it to bench.md.

wire.py       EWS with nothing but http.client: what the floor and the changes in a mailbox are made of
floor.py      the least that a mirror can do, as a program: what ours is measured against
running.py    programs as measured children, the sandbox in a process of its own, facts about the machine
user.py       someone with a home of their own, who runs the real command line in it
changes.py    new, changed and deleted messages in a sandbox's mailbox
sending.py    one message, by several programs
cases.py      what is measured
table.py      figures → Markdown

Nothing here imports ews_bridge: the client and the sandbox are other programs.
"""
