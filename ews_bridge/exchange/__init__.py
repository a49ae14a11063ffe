"""The Exchange side of the bridge: the only code that knows requests, lxml and the words of EWS.

session.py   settings → connection: sign-in, worker connections, back-off, retries
faults.py    the one error map: HTTP statuses, SOAP faults and lost connections → our errors
soap.py      envelopes and what comes back in them; XML that servers get wrong
opening.py   a requests session that signs in
asking.py    the text of the requests
bulk.py      the fast path: pages of changes and batches of MIME, without models
mail.py      pure: server properties ⇄ entries and flags
rebuilt.py   pure: a readable message from an item that has no MIME
folder.py    `store.Store` over one folder of mail: listing and reading
creating.py  ... new items, and finding them again
writing.py   ... its other writes
form.py      the contract of the codecs for what is no mail: event.py, cards.py (contacts, lists), task.py
items.py     `store.Store` over one folder of such items; itemcreating.py, itemwriting.py, itemremoving.py: its writes;
             itemforetelling.py: what they would come to
snapshots.py an item with all that belongs to it, as a file
meetingmail.py  who is told of what is done to meetings
invite.py    an invitation as it came; answering.py answers it, meetings.py finds its meeting
sending.py   a message to be sent, once, and where the server has it
tree.py      `store.Tree` over the folders below the message root
"""
