"""What lies beside the mail in the demo mailbox: the workshop's calendar, address book and tasks. Made up, too."""

from __future__ import annotations

from . import vcards
from . import vevents
from . import vtodos
from .store import Item
from .world import Mailbox

# The week of `demo.MONDAY`. Each event is its lines; UID and DTSTAMP are put before them.
EVENTS = (
    """\
SUMMARY:Round of the workshop
LOCATION:Back room
DTSTART;TZID=Europe/Berlin:20260302T083000
DTEND;TZID=Europe/Berlin:20260302T090000
RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=12""",
    """\
SUMMARY:Déjeuner avec Inès
LOCATION:Chez Paul
DTSTART;TZID=Europe/Paris:20260305T123000
DTEND;TZID=Europe/Paris:20260305T140000""",
    """\
SUMMARY:The tower clock stands still
DESCRIPTION:Oil\\, and a new rope for the strike.
DTSTART;VALUE=DATE:20260310
DTEND;VALUE=DATE:20260312
TRANSP:TRANSPARENT
CATEGORIES:Repair""",
)
TASKS = (
    """\
SUMMARY:Order oil for the tower clock
DUE;VALUE=DATE:20260306
PRIORITY:1""",
    """\
SUMMARY:Draw the moon's hand
STATUS:IN-PROCESS
PERCENT-COMPLETE:50
CATEGORIES:Tide clock""",
    """\
SUMMARY:Wind the regulator
DTSTART;VALUE=DATE:20260302
DUE;VALUE=DATE:20260302
RRULE:FREQ=WEEKLY;BYDAY=MO""",
)
CARDS = (
    """\
UID:ines@clocks.example.test
FN:Inès Lefèvre
N:Lefèvre;Inès;;;
EMAIL;TYPE=INTERNET:ines@clocks.example.test
TEL;TYPE=CELL:+33 6 12 34 56 78
ORG:Atelier Lefèvre
BDAY:1981-07-14""",
    """\
UID:haruka@clocks.example.test
FN:佐藤 遥
N:佐藤;遥;;;
EMAIL;TYPE=INTERNET:haruka@clocks.example.test
TITLE:Dial painter""",
    """\
UID:jurgen@clocks.example.test
FN:Jürgen Groß
N:Groß;Jürgen;;;
EMAIL;TYPE=INTERNET:jurgen@clocks.example.test
TEL;TYPE=WORK,VOICE:+49 30 123456
ADR;TYPE=WORK:;;Uhrengasse 7;Glashütte;;01768;Deutschland""",
)


def fill_items(mailbox: Mailbox) -> None:
    """Put them into the folders that every mailbox has."""
    known: dict[str, Item] = {}
    for lines in CARDS:
        vcards.load(mailbox.folder("contacts"), f"BEGIN:VCARD\nVERSION:3.0\n{lines}\nEND:VCARD\n", known)
    for number, lines in enumerate(EVENTS):
        vevents.load(mailbox.folder("calendar"), _calendar("VEVENT", f"event{number}", lines))
    for number, lines in enumerate(TASKS):
        vtodos.load(mailbox.folder("tasks"), _calendar("VTODO", f"task{number}", lines))


def _calendar(name: str, uid: str, lines: str) -> str:
    inner = f"BEGIN:{name}\nUID:{uid}@clocks.example.test\nDTSTAMP:20260301T120000Z\n{lines}\nEND:{name}"
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//clocks.example.test//EN\n{inner}\nEND:VCALENDAR\n"
