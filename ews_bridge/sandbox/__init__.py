"""An Exchange server that fits in memory: for the demo, for the tests, and for whoever tries a client.

It speaks EWS over HTTP as Exchange Server 2019 does, as strictly, and imports nothing of ews_bridge outside this package.

    server.py                     start one: in a thread, or as a process (`python -m ews_bridge.sandbox`)
    frontend.py auth.py faults.py HTTP and sign-in; `/sandbox/`: counters, faults and quirks on demand
    soap.py                       envelopes and faults
    grammar.py notation.py        requests are checked against the schema in vocabulary.py and vocabulary_items.py
    operations/                   what each EWS operation does, on the mailboxes of world.py
    kinds.py fields.py            the elements of items; those of a kind are in tables of their own
    appointments.py occurrences.py settling.py recurrence.py timezones.py clocks.py
                                  what calendar items mean; calendar_reading.py and calendar_writing.py: as iCalendar
    meetings.py attendees.py      what messages of meetings do to calendars
    contacts.py dictionaries.py lists.py tasks.py task_series.py
                                  what contacts, distribution lists and tasks mean
    people.py                     the directory of the organisation; delegates.py: who acts for whom
    seed.py demo.py demo_items.py what the mailboxes hold at first

Not there: autodiscover, subscriptions and streaming notifications, suggestions of times to meet, rules, export and
upload.
"""
