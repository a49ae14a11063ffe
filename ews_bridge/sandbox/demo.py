"""The demo mailbox: a clock workshop's post in many languages. All of it is made up, and the same every time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from . import people
from .world import Folder
from .world import Mailbox
from .world import World

BOB = ("bob@example.test", "secret", "Bob Sender")
MONDAY = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)

# One pixel, the smallest picture that every viewer shows.
_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c02"
    "0000000b4944415478da6364f80f00010501012718e3660000000049454e44ae426082"
)
_PEOPLE = {
    "bob": "Bob Sender",
    "ines": "Inès Lefèvre",
    "jurgen": "Jürgen Groß",
    "zofia": "Zofia Łuczak",
    "eleni": "Ελένη Παππά",
    "oleg": "Олег Сомов",
    "haruka": "佐藤 遥",
    "mei": "陳 美玲",
    "minjun": "김민준",
    "layla": "ليلى حداد",
    "noam": "נעם ברק",
    "asha": "आशा वर्मा",
    "shop": "Brass & Gears, Ltd.",
    "list": "Clockmakers' round",
    "spam": "Lucky Winner",
}


@dataclass(frozen=True, slots=True)
class Letter:
    """One message. `day` counts from MONDAY and may be broken; `flags` as in Maildir, without S it is unread.

    `who` is the sender, or the recipient where the mailbox's owner wrote it (`mine`). `key` names the message for the
    `re` of others. Each attachment is (file name, MIME type, content).
    """

    folder: str
    who: str
    day: float
    subject: str
    text: str
    flags: str = "S"
    key: str = ""
    re: str = ""
    html: str = ""
    attachments: tuple[tuple[str, str, bytes], ...] = ()
    cc: tuple[str, ...] = ()
    mine: bool = False


TIDE = "Projects/Tide clock"
LETTERS = (
    Letter(
        "inbox",
        "bob",
        0.1,
        "Welcome to the sandbox",
        "Hello,\n\nnothing here is real, so try whatever you like.\n\nBob\n",
        key="hello",
    ),
    Letter(
        "inbox",
        "ines",
        0.3,
        "Déjeuner jeudi ?",
        "Bonjour,\n\non se retrouve à midi près du marché ? J’apporte les croquis.\n\nInès\n",
        key="lunch",
    ),
    Letter(
        "sentitems",
        "ines",
        0.4,
        "RE: Déjeuner jeudi ?",
        "Très bien, à jeudi !\n\n> on se retrouve à midi\n",
        key="lunch2",
        re="lunch",
        mine=True,
    ),
    Letter("inbox", "ines", 0.5, "RE: Déjeuner jeudi ?", "Parfait. N’oublie pas la boîte à musique.\n", re="lunch2"),
    Letter(
        "inbox",
        "jurgen",
        1.2,
        "Prüfung der Zahnräder",
        "Guten Tag,\n\ndie großen Räder laufen ruhig, die kleinen quietschen noch.\nÖl hilft.\n\nJürgen\n",
        "FS",
    ),
    Letter(
        "inbox",
        "zofia",
        1.6,
        "Zażółć gęślą jaźń",
        "Cześć!\n\nTo zdanie ma wszystkie nasze litery. Czy wszystkie doszły?\n\nZofia\n",
        "RS",
        key="letters",
    ),
    Letter("sentitems", "zofia", 1.7, "RE: Zażółć gęślą jaźń", "Doszły wszystkie, dziękuję.\n", re="letters", mine=True),
    Letter(
        "inbox",
        "eleni",
        2.1,
        "Η παλίρροια του Μαΐου",
        "Καλημέρα,\n\nσου στέλνω τις ώρες της παλίρροιας για το λιμάνι.\n\nΕλένη\n",
    ),
    Letter(
        "inbox",
        "oleg",
        2.4,
        "Маятник готов",
        "Добрый день!\n\nМаятник отрегулирован: за сутки он спешит на две секунды.\n\nОлег\n",
        "",
    ),
    Letter(
        "inbox",
        "haruka",
        2.9,
        "来週の打ち合わせについて",
        "お世話になっております。\n\n水曜日の午後はいかがでしょうか。\n\n佐藤\n",
        "F",
    ),
    Letter(
        "inbox",
        "mei",
        3.2,
        "鐘聲的錄音",
        "你好：\n\n附上三段鐘聲，請選一段作為整點報時。\n\n美玲\n",
        attachments=(("鐘聲.txt", "text/plain", "噹、噹、噹\n".encode()),),
    ),
    Letter(
        "inbox",
        "minjun",
        3.7,
        "부품 배송 안내",
        "안녕하세요.\n\n태엽 열두 개를 오늘 보냈습니다. 금요일에 도착합니다.\n\n김민준\n",
        "",
    ),
    Letter("inbox", "layla", 4.1, "ساعة البرج", "مرحباً،\n\nساعة البرج متأخرة خمس دقائق منذ العاصفة.\n\nليلى\n"),
    Letter("inbox", "noam", 4.5, "שאלה על הקפיץ", "שלום,\n\nכמה סיבובים צריך הקפיץ הגדול?\n\nנעם\n", ""),
    Letter("inbox", "asha", 5.3, "घड़ी की मरम्मत", "नमस्ते,\n\nदादाजी की घड़ी फिर से चल रही है। धन्यवाद!\n\nआशा\n"),
    Letter("inbox", "bob", 6.0, "⏰ Friday: cake for the new escapement 🎂", "Three o'clock, second floor. 🎉\n", ""),
    Letter(
        "inbox",
        "shop",
        6.2,
        "Your order 4711 has been shipped",
        "Two pallets of brass are on their way to you.\n",
        "S",
        html="<html><body><h1>On its way</h1><p>Two pallets of <b>brass</b> &amp; some oil.</p></body></html>",
    ),
    Letter(
        "inbox",
        "jurgen",
        6.6,
        "Zeichnung: Hemmung (Fassung 3)",
        "Anbei die Zeichnung und die Maße.\n",
        "S",
        attachments=(
            ("Hemmung.png", "image/png", _PNG),
            ("Maße für Größe 7.csv", "text/csv", "Rad;Zähne\nA;36\nB;12\n".encode()),
        ),
    ),
    Letter(
        "inbox",
        "bob",
        7.0,
        "FW: Opening hours of the museum",
        "Fyi.\n\n---- Forwarded ----\nOpen from ten to five, closed on Mondays.\n",
        "PS",
    ),
    Letter("inbox", "bob", 7.2, "", "This one has no subject. That happens.\n", ""),
    Letter(
        TIDE,
        "bob",
        8.0,
        "Tide clock: where do we begin?",
        "The moon needs 24 h 50 min. Who calculates the gear train?\n",
        key="tide1",
        cc=("jurgen",),
    ),
    Letter(
        TIDE,
        "jurgen",
        8.2,
        "Re: Tide clock: where do we begin?",
        "57 and 59 teeth come close: an error of a minute in a week.\n\n> Who calculates?\n",
        key="tide2",
        re="tide1",
    ),
    Letter(
        "sentitems",
        "jurgen",
        8.3,
        "Re: Tide clock: where do we begin?",
        "Good. I'll cut the wheels.\n",
        key="tide3",
        re="tide2",
        mine=True,
        cc=("bob",),
    ),
    Letter(
        TIDE,
        "jurgen",
        9.4,
        "Re: Tide clock: where do we begin?",
        "Then I make the case. Eiche oder Nuss?\n",
        "FS",
        key="tide4",
        re="tide3",
    ),
    Letter(TIDE, "bob", 9.5, "Re: Tide clock: where do we begin?", "Oak, please.\n", re="tide4"),
    Letter(
        TIDE,
        "eleni",
        10.1,
        "Πίνακας παλίρροιας",
        "Ο πίνακας για όλο τον χρόνο.\n",
        attachments=(("παλίρροια.csv", "text/csv", b"day;high;low\n1;04:12;10:31\n"),),
    ),
    Letter("Projects/Überholung Turmuhr", "jurgen", 11.0, "Gerüst steht ab Montag", "Das Gerüst wird um sieben Uhr aufgebaut.\n"),
    Letter(
        "Projects/Überholung Turmuhr",
        "layla",
        11.5,
        "Re: ساعة البرج",
        "الصور مرفقة.\n",
        "",
        attachments=(("برج.png", "image/png", _PNG),),
    ),
    Letter(
        "Rechnungen 2026",
        "shop",
        12.0,
        "Invoice 2026-0117",
        "Please find the invoice attached.\n",
        attachments=(("Invoice 2026-0117.pdf", "application/pdf", b"%PDF-1.1\n%%EOF\n"),),
    ),
    Letter("Rechnungen 2026", "shop", 12.1, "Reminder: invoice 2026-0117", "It is due on Friday.\n", "F"),
    Letter(
        "Семья", "oleg", 12.6, "Фотографии с дачи", "Смотри, как вырос орех!\n", attachments=(("орех.png", "image/png", _PNG),)
    ),
    Letter("Archive/2025", "haruka", -90.2, "年末のご挨拶", "本年は大変お世話になりました。\n"),
    Letter("Archive/2025", "zofia", -80.7, "Życzenia", "Wszystkiego najlepszego w nowym roku!\n", "RS"),
    Letter(
        "Archive/2025", "list", -75.0, "[clocks] Which oil for cold rooms?", "None that is older than the clock.\n", key="oil"
    ),
    Letter(
        "Archive/2025",
        "list",
        -74.6,
        "Re: [clocks] Which oil for cold rooms?",
        "Seconded.\n\n> None that is older than the clock.\n",
        re="oil",
    ),
    Letter(
        "sentitems",
        "bob",
        13.0,
        "Minutes of the Monday meeting",
        "Present: everybody.\nDecided: oak.\n",
        mine=True,
        cc=("ines", "haruka"),
    ),
    Letter("drafts", "ines", 13.2, "Exposition d’été", "Chère Inès,\n\nvoici quelques idées pour\n", "DS", mine=True),
    Letter("drafts", "haruka", 13.4, "Re: 来週の打ち合わせについて", "佐藤様\n\n", "DS", mine=True),
    Letter("deleteditems", "shop", 5.9, "Last chance: 10 % off all springs", "Only today.\n"),
    Letter(
        "junkemail", "spam", 6.4, "You have won 1,000,000 cuckoo clocks", "Please send us your address and your spare key.\n", ""
    ),
)


def fill_demo(world: World, mailbox: Mailbox) -> None:
    """Put the letters into `mailbox`, add Bob to write to, and people to the directory."""
    address, password, name = BOB
    if address not in world.users:
        world.add_user(address, password, name)
    people.enter(world, *people.DEMO)
    folders: dict[str, Folder] = {}
    ids: dict[str, tuple[str, str]] = {}  # key -> Message-ID and References
    for number, letter in enumerate(LETTERS):
        mime = _mime(letter, number, mailbox, ids)
        mailbox.add_mime(
            _folder(mailbox, letter.folder, folders),
            mime,
            read="S" in letter.flags,
            flagged="F" in letter.flags,
            answered="R" in letter.flags,
            forwarded="P" in letter.flags,
            draft="D" in letter.flags,
            received=_sent(letter) + timedelta(seconds=0 if letter.mine else 3),
        )


def _folder(mailbox: Mailbox, path: str, known: dict[str, Folder]) -> Folder:
    if path not in known:
        parent, _, name = path.rpartition("/")
        if path in ("inbox", "sentitems", "drafts", "deleteditems", "junkemail", ""):
            known[path] = mailbox.folder(path or "msgfolderroot")
        else:
            known[path] = subfolder(mailbox, _folder(mailbox, parent, known), name)
    return known[path]


def subfolder(mailbox: Mailbox, parent: Folder, name: str) -> Folder:
    """The folder of that name (case apart) below `parent`, made if there is none."""
    for child in parent.children:
        if child.name.casefold() == name.casefold():
            return child
    return mailbox.create_folder(parent, name)


def _sent(letter: Letter) -> datetime:
    # Whole seconds: there is nothing finer in a Date header.
    return MONDAY + timedelta(seconds=round(letter.day * 86400))


def _mime(letter: Letter, number: int, mailbox: Mailbox, ids: dict[str, tuple[str, str]]) -> bytes:
    owner = str(Address(mailbox.display_name, addr_spec=mailbox.address))
    message = EmailMessage(policy=SMTP)
    message["From"] = owner if letter.mine else _person(letter.who)
    message["To"] = _person(letter.who) if letter.mine else owner
    if letter.cc:
        message["Cc"] = ", ".join(_person(who) for who in letter.cc)
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(_sent(letter))
    message_id = f"<{number:04d}.{letter.who}@clocks.example.test>"
    message["Message-ID"] = message_id
    references = ""
    if letter.re:
        parent, earlier = ids[letter.re]
        references = f"{earlier} {parent}".strip()
        message["In-Reply-To"] = parent
        message["References"] = references
    if letter.key:
        ids[letter.key] = (message_id, references)
    message.set_content(letter.text)
    if letter.html:
        message.add_alternative(letter.html, subtype="html")
    for name, kind, content in letter.attachments:
        main, _, sub = kind.partition("/")
        message.add_attachment(content, maintype=main, subtype=sub, filename=name)
    for part_number, part in enumerate(message.walk()):
        if part.is_multipart():
            part.set_boundary(f"----=_{number:04d}_{part_number}")  # else it would be another one each time
    return message.as_bytes()


def _person(who: str) -> str:
    return str(Address(_PEOPLE[who], who, "example.test" if who == "bob" else "clocks.example.test"))
