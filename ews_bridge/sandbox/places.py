"""The folders a new mailbox has: their distinguished ids, classes, places and names in four languages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of a new mailbox; `parent` is a distinguished id or the name of an earlier place, '' for the root."""

    id: str
    parent: str
    folder_class: str
    name: str
    hidden: bool = False
    search: bool = False


PLACES = (
    Place("msgfolderroot", "root", "IPF.Note", "Top of Information Store"),
    Place("inbox", "msgfolderroot", "IPF.Note", "Inbox"),
    Place("drafts", "msgfolderroot", "IPF.Note", "Drafts"),
    Place("sentitems", "msgfolderroot", "IPF.Note", "Sent Items"),
    Place("deleteditems", "msgfolderroot", "IPF.Note", "Deleted Items"),
    Place("junkemail", "msgfolderroot", "IPF.Note", "Junk Email"),
    Place("outbox", "msgfolderroot", "IPF.Note", "Outbox"),
    Place("calendar", "msgfolderroot", "IPF.Appointment", "Calendar"),
    Place("contacts", "msgfolderroot", "IPF.Contact", "Contacts"),
    Place("tasks", "msgfolderroot", "IPF.Task", "Tasks"),
    Place("notes", "msgfolderroot", "IPF.StickyNote", "Notes"),
    Place("journal", "msgfolderroot", "IPF.Journal", "Journal"),
    Place("conversationhistory", "msgfolderroot", "IPF.Note", "Conversation History"),
    Place("syncissues", "msgfolderroot", "IPF.Note", "Sync Issues"),
    Place("conflicts", "syncissues", "IPF.Note", "Conflicts"),
    Place("localfailures", "syncissues", "IPF.Note", "Local Failures"),
    Place("serverfailures", "syncissues", "IPF.Note", "Server Failures"),
    Place("", "msgfolderroot", "IPF.Configuration", "Conversation Action Settings", hidden=True),
    Place("", "msgfolderroot", "IPF.Note.OutlookHomepage", "RSS Feeds"),
    Place("", "msgfolderroot", "IPF.Configuration", "Quick Step Settings", hidden=True),
    Place("quickcontacts", "contacts", "IPF.Contact.MOC.QuickContacts", "{06967759-274D-40B2-A3EB-D7F9E73727D7}", hidden=True),
    Place("imcontactlist", "contacts", "IPF.Contact.MOC.ImContactList", "{A9E2BC46-B3A0-4243-B315-60D991004455}", hidden=True),
    Place("recipientcache", "contacts", "IPF.Contact.RecipientCache", "Recipient Cache", hidden=True),
    Place("searchfolders", "root", "IPF.Note", "Finder"),
    Place("", "root", "", "Common Views"),
    Place("", "root", "", "Views"),
    Place("", "root", "", "Deferred Action"),
    Place("", "root", "", "Freebusy Data"),
    Place("", "root", "", "Schedule"),
    Place("", "root", "", "Shortcuts"),
    Place("", "root", "", "Spooler Queue"),
    Place("", "root", "", "Transport Queue"),
    Place("", "root", "IPF.Note", "MailboxMoveHistory"),
    Place("todosearch", "root", "Outlook.Reminder", "To-Do Search", search=True),
    Place("recoverableitemsroot", "root", "", "Recoverable Items"),
    Place("recoverableitemsdeletions", "recoverableitemsroot", "", "Deletions"),
    Place("recoverableitemsversions", "recoverableitemsroot", "", "Versions"),
    Place("recoverableitemspurges", "recoverableitemsroot", "", "Purges"),
)

NAMES = {
    "de": {
        "msgfolderroot": "Oberste Ebene des Informationsspeichers",
        "inbox": "Posteingang",
        "drafts": "Entwürfe",
        "sentitems": "Gesendete Elemente",
        "deleteditems": "Gelöschte Elemente",
        "junkemail": "Junk-E-Mail",
        "outbox": "Postausgang",
        "calendar": "Kalender",
        "contacts": "Kontakte",
        "tasks": "Aufgaben",
        "notes": "Notizen",
        "journal": "Journal",
        "conversationhistory": "Aufgezeichnete Unterhaltungen",
        "syncissues": "Synchronisierungsprobleme",
        "conflicts": "Konflikte",
        "localfailures": "Lokale Fehler",
        "serverfailures": "Serverfehler",
    },
    "fr": {
        "msgfolderroot": "Banque d'informations",
        "inbox": "Boîte de réception",
        "drafts": "Brouillons",
        "sentitems": "Éléments envoyés",
        "deleteditems": "Éléments supprimés",
        "junkemail": "Courrier indésirable",
        "outbox": "Boîte d'envoi",
        "calendar": "Calendrier",
        "contacts": "Contacts",
        "tasks": "Tâches",
        "notes": "Notes",
        "journal": "Journal",
        "conversationhistory": "Historique des conversations",
        "syncissues": "Problèmes de synchronisation",
        "conflicts": "Conflits",
        "localfailures": "Défaillances locales",
        "serverfailures": "Défaillances du serveur",
    },
    "pl": {
        "msgfolderroot": "Początek magazynu informacji",
        "inbox": "Skrzynka odbiorcza",
        "drafts": "Wersje robocze",
        "sentitems": "Elementy wysłane",
        "deleteditems": "Elementy usunięte",
        "junkemail": "Wiadomości-śmieci",
        "outbox": "Skrzynka nadawcza",
        "calendar": "Kalendarz",
        "contacts": "Kontakty",
        "tasks": "Zadania",
        "notes": "Notatki",
        "journal": "Dziennik",
        "conversationhistory": "Historia konwersacji",
        "syncissues": "Problemy z synchronizacją",
        "conflicts": "Konflikty",
        "localfailures": "Błędy lokalne",
        "serverfailures": "Błędy serwera",
    },
}


def name_of(place: Place, language: str) -> str:
    """The display name in the mailbox's language; English if there is no other."""
    return NAMES.get(language, {}).get(place.id, place.name)


_COLOURS = (("Blue", 7), ("Green", 4), ("Orange", 1), ("Purple", 8), ("Red", 0), ("Yellow", 3))

#: The categories of a new mailbox (MS-OXOCFG 2.2.5.2): name and colour.
CATEGORIES = (
    '<?xml version="1.0"?><categories default="Red Category" xmlns="CategoryList.xsd">'
    + "".join(f'<category name="{name} Category" color="{colour}"/>' for name, colour in _COLOURS)
    + "</categories>"
)
