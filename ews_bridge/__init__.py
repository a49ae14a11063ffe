"""ews-bridge keeps an Exchange mailbox and plain local files the same. Read this first; then model, plan, store, converge, apply.

The four promises, in this order:

1. Nothing is lost: no crash, race, lying server or wrong flag makes a message disappear. What a sync removes from disk goes to a
   trash that `restore` empties back; what it removes from the server goes to Deleted Items.
2. Nobody is mailed by surprise.
3. It stays cheap: cost follows the number of changes, not the size of the mailbox.
4. It is honest: every item that could not be synced is named, with the reason and what to do.

Words: an *account* is one mailbox. A *kind* is its mail, its calendars, its contacts or its tasks: each has a state, trees and
stores of its own, and all have one engine. A *collection* is one Exchange folder and its directory. *Local* and *remote* are
the two *sides*. A *store* reads and writes one side of one collection. An *entry* is one side's view of one item, without its
content; its *id* names it there, its *key* on both sides, its *revision* tells one content from another. A *link* is both views
when last in agreement. A *cursor* says how far a listing came.

One sync of one kind (`onekind.py`; `sync.py` goes through those of an account):

               cursor                 entries + cursor, in one transaction
    Store.scan ───────► Scan ───────► State.observe(side, …)
                                          │   State.pair: a loss and a find that are one move; two finds that are one item
                                          ▼
                        rows that differ: State.differing → plan.plan → steps              pure; a dry run prints them and stops
                                          │   converge.guard may refuse deletions
                                          ▼
       for a batch of like steps: State.begin (creations) → one Store call → durable on its side → State.settle
                                          ▼
                                       Report       (rounds until quiet, converge.py; before the first: apply.recover)

The folders themselves are a collection, too (`folders.py`), made alike before what is in them.

* Levels, not edges: the state keeps *what is* on each side together with the cursor, and the base. The plan is the difference.
  A step that fails or is cut off is planned again; there is no resume mode and no list of pending work.
* Absence is proof only when everything was seen: a full listing carries a generation and sweeps at its last page; deletions
  wait while any collection could not be listed; on disk a file is gone when a second look misses it, too.
* What a link claims is durable: file, rename, directory synced, *then* the commit. Only creations cannot be repeated, so they are
  journalled with a token that the item itself carries.
* Same content is not same bytes: Exchange renders mail anew. Nothing is transferred again because a rendering differs. The
  revision of an event, contact or task is a digest of what it says, on both sides.

Tags are kept in places (in the file, in Akonadi's property, as categories), and each place has its base: an `Entry` says what
each shows, `plan.merge_tags` what each is to hold. A place that an entry does not name was not looked at, and nothing follows.
The files of events, contacts and tasks are no place: their categories are content, and travel as such.

Sending (`ews-send`, `sendmail.py`): argv → envelope → outbox, durable → one CreateItem → gone. The state of a letter says what is
known of it, never more (`outbox.py`); an outcome that is not known is found out by the token that the server's copy carries.

Import order, enforced by tests/test_architecture.py; each library has one home there:

    0  errors  model  report  addresses               values and errors: no I/O
    1  plan  store  runs  config  configfile  names   pure rules, the contract, the settings
       tags  labels  tagconfig                        what tags are called, how a file has them, what is wanted of them
       sendargs  aliases  envelope                    sending: what was asked, who gets it
       addressbook                                    addresses in the contacts on disk
    2  state  differences  pairing  tables            SQLite
       maildir  maildir_index  maildir_file  mailtree  vdir  vdirtree  marker  trash  disk  lock      the local side
       headers  meaning                               what tells one mail from another
       maildir_tags  notmuch                          where its tags are
       outbox                                         messages on their way out
       exchange/                                      the server's side: requests, lxml
    3  batch  apply  converge  folders                steps and rounds, over stores of any kind
    4  signin  binding  limits  delivery  tagsync  kinds  foretell  onekind  sync  overview      one account, kind by kind
       tagedit  lookup                                what `tags` and `query` do
    5  cli/                                           click; the error boundary
       sendmail                                       ews-send, which cannot wait for click
    -  sandbox/                                       an Exchange in memory; imports nothing of ours
"""

__version__ = "0.1.0"
