"""The order of elements in items and folders, as types.xsd demands it, and which element an item class makes."""

from __future__ import annotations


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ITEM = _names(
    "MimeContent ItemId ParentFolderId ItemClass Subject Sensitivity Body Attachments DateTimeReceived Size "
    "Categories Importance InReplyTo IsSubmitted IsDraft IsFromMe IsResend IsUnmodified InternetMessageHeaders "
    "DateTimeSent DateTimeCreated ResponseObjects ReminderDueBy ReminderIsSet ReminderNextTime "
    "ReminderMinutesBeforeStart DisplayCc DisplayTo HasAttachments ExtendedProperty Culture EffectiveRights "
    "LastModifiedName LastModifiedTime IsAssociated WebClientReadFormQueryString WebClientEditFormQueryString "
    "ConversationId UniqueBody Flag StoreEntryId InstanceKey NormalizedBody EntityExtractionResult PolicyTag "
    "ArchiveTag RetentionDate Preview RightsManagementLicenseData PredictedActionReasons IsClutter "
    "NextPredictedAction GroupingAction BlockStatus HasBlockedImages TextBody IconIndex MimeContentUTF8 SearchKey "
    "SortKey Hashtags Mentions MentionedMe PendingSocialActivityTagIds"
)
MESSAGE = _names(
    "Sender ToRecipients CcRecipients BccRecipients IsReadReceiptRequested IsDeliveryReceiptRequested "
    "ConversationIndex ConversationTopic From InternetMessageId IsRead IsResponseRequested References ReplyTo "
    "ReceivedBy ReceivedRepresenting ApprovalRequestData VotingInformation ReminderMessageData"
)
POST = _names("ConversationIndex ConversationTopic From InternetMessageId IsRead PostedTime References Sender")
MEETING = _names(
    "AssociatedCalendarItemId IsDelegated IsOutOfDate HasBeenProcessed ResponseType UID RecurrenceId DateTimeStamp IsOrganizer"
)
REQUEST = _names(
    "MeetingRequestType IntendedFreeBusyStatus Start End OriginalStart IsAllDayEvent LegacyFreeBusyStatus Location When "
    "IsMeeting IsCancelled IsRecurring MeetingRequestWasSent CalendarItemType MyResponseType Organizer "
    "RequiredAttendees OptionalAttendees Resources ConflictingMeetingCount AdjacentMeetingCount ConflictingMeetings "
    "AdjacentMeetings Duration TimeZone AppointmentReplyTime AppointmentSequenceNumber AppointmentState Recurrence "
    "FirstOccurrence LastOccurrence ModifiedOccurrences DeletedOccurrences MeetingTimeZone StartTimeZone EndTimeZone "
    "ConferenceType AllowNewTimeProposal IsOnlineMeeting MeetingWorkspaceUrl NetShowUrl EnhancedLocation "
    "ChangeHighlights StartWallClock EndWallClock StartTimeZoneId EndTimeZoneId"
)
RESPONSE = _names("Start End Location Recurrence CalendarItemType ProposedStart ProposedEnd EnhancedLocation")
CANCELLATION = _names("Start End Location Recurrence CalendarItemType EnhancedLocation")
CALENDAR = _names(
    "UID RecurrenceId DateTimeStamp Start End OriginalStart IsAllDayEvent LegacyFreeBusyStatus Location When "
    "IsMeeting IsCancelled IsRecurring MeetingRequestWasSent IsResponseRequested CalendarItemType MyResponseType "
    "Organizer RequiredAttendees OptionalAttendees Resources ConflictingMeetingCount AdjacentMeetingCount "
    "ConflictingMeetings AdjacentMeetings Duration TimeZone AppointmentReplyTime AppointmentSequenceNumber "
    "AppointmentState Recurrence FirstOccurrence LastOccurrence ModifiedOccurrences DeletedOccurrences "
    "MeetingTimeZone StartTimeZone EndTimeZone ConferenceType AllowNewTimeProposal IsOnlineMeeting "
    "MeetingWorkspaceUrl NetShowUrl EnhancedLocation StartWallClock EndWallClock StartTimeZoneId EndTimeZoneId "
    "IntendedFreeBusyStatus JoinOnlineMeetingUrl OnlineMeetingSettings IsOrganizer InboxReminders"
)
CONTACT = _names(
    "FileAs FileAsMapping DisplayName GivenName Initials MiddleName Nickname CompleteName CompanyName "
    "EmailAddresses PhysicalAddresses PhoneNumbers AssistantName Birthday BusinessHomePage Children Companies "
    "ContactSource Department Generation ImAddresses JobTitle Manager Mileage OfficeLocation PostalAddressIndex "
    "Profession SpouseName Surname WeddingAnniversary BirthdayLocal WeddingAnniversaryLocal HasPicture "
    "PhoneticFullName PhoneticFirstName PhoneticLastName Alias Notes Photo UserSMIMECertificate "
    "MSExchangeCertificate DirectoryId ManagerMailbox DirectReports"
)
TASK = _names(
    "ActualWork AssignedTime BillingInformation ChangeCount Companies CompleteDate Contacts DelegationState "
    "Delegator DueDate IsAssignmentEditable IsComplete IsRecurring IsTeamTask Mileage Owner PercentComplete "
    "Recurrence StartDate Status StatusDescription TotalWork"
)
LIST = _names("DisplayName FileAs ContactSource Members")

ORDERS: dict[str, tuple[str, ...]] = {
    "Item": ITEM,
    "Message": (*ITEM, *MESSAGE),
    "PostItem": (*ITEM, *POST),
    "MeetingMessage": (*ITEM, *MESSAGE, *MEETING),
    "MeetingRequest": (*ITEM, *MESSAGE, *MEETING, *REQUEST),
    "MeetingResponse": (*ITEM, *MESSAGE, *MEETING, *RESPONSE),
    "MeetingCancellation": (*ITEM, *MESSAGE, *MEETING, *CANCELLATION),
    "CalendarItem": (*ITEM, *CALENDAR),
    "Contact": (*ITEM, *CONTACT),
    "Task": (*ITEM, *TASK),
    "DistributionList": (*ITEM, *LIST),
}
PLACES_OF = {kind: {name: place for place, name in enumerate(order)} for kind, order in ORDERS.items()}

# The kinds that are no messages: an item never changes into one of them, or from one into another.
APART = frozenset(("CalendarItem", "Contact", "Task", "DistributionList"))
DEFAULT_CLASS = {
    "Message": "IPM.Note",
    "Item": "IPM.Note",
    "PostItem": "IPM.Post",
    "CalendarItem": "IPM.Appointment",
    "Contact": "IPM.Contact",
    "Task": "IPM.Task",
    "DistributionList": "IPM.DistList",
}
CLASSES = (
    ("ipm.schedule.meeting.request", "MeetingRequest"),
    ("ipm.schedule.meeting.resp", "MeetingResponse"),
    ("ipm.schedule.meeting.canceled", "MeetingCancellation"),
    ("ipm.schedule.meeting", "MeetingMessage"),
    ("ipm.appointment", "CalendarItem"),
    ("ipm.contact", "Contact"),
    ("ipm.task", "Task"),
    ("ipm.distlist", "DistributionList"),
    ("ipm.post", "PostItem"),
)
FOLDER_KINDS = (
    ("IPF.Appointment", "CalendarFolder"),
    ("IPF.Contact", "ContactsFolder"),
    ("IPF.Task", "TasksFolder"),
)
FOLDER_ORDER = (
    "FolderId",
    "ParentFolderId",
    "FolderClass",
    "DisplayName",
    "TotalCount",
    "ChildFolderCount",
    "ExtendedProperty",
    "EffectiveRights",
    "DistinguishedFolderId",
    "UnreadCount",
)


def kind_of(item_class: str) -> str:
    """The element for an item of this class; Message for any other, as t:Item is not used in answers."""
    lower = item_class.lower()
    if lower.startswith("ipm.note"):
        return "Message"
    for prefix, kind in CLASSES:
        if lower == prefix or lower.startswith(prefix + "."):
            return kind
    return "Message"


def folder_kind(folder_class: str, *, search: bool) -> str:
    """The element for a folder of this class."""
    if search:
        return "SearchFolder"
    for prefix, kind in FOLDER_KINDS:
        if folder_class == prefix or folder_class.startswith(prefix + "."):
            return kind
    return "Folder"
