"""The item types of the request schema; see vocabulary.py."""

ITEMS = """
# Mail
%AnyItem = Item | Message | CalendarItem | Contact | DistributionList | MeetingMessage | MeetingRequest | MeetingResponse |
    MeetingCancellation | Task | PostItem
ItemList = (%AnyItem | %Response)+
Item = MimeContent{.str @CharacterSet?}? ItemId? ParentFolderId:FolderId? ItemClass? Subject? Sensitivity:SensitivityChoices?
    Body?
    Attachments:AttachmentList? DateTimeReceived:datetime? Size:int? Categories:Strings? Importance<Low|Normal|High>?
    InReplyTo? IsSubmitted:bool? IsDraft:bool? IsFromMe:bool? IsResend:bool? IsUnmodified:bool?
    InternetMessageHeaders:InternetHeaders? DateTimeSent:datetime? DateTimeCreated:datetime? ResponseObjects?
    ReminderDueBy:datetime? ReminderIsSet:bool? ReminderNextTime:datetime? ReminderMinutesBeforeStart? DisplayCc? DisplayTo?
    HasAttachments:bool? ExtendedProperty* Culture:language? EffectiveRights? LastModifiedName? LastModifiedTime:datetime?
    IsAssociated:bool? WebClientReadFormQueryString? WebClientEditFormQueryString? ConversationId:ItemId? UniqueBody:Body?
    Flag{FlagStatus<NotFlagged|Flagged|Complete> StartDate:datetime? DueDate:datetime? CompleteDate:datetime?}?
    StoreEntryId:base64? InstanceKey:base64? NormalizedBody:Body? EntityExtractionResult:Unchecked? PolicyTag:RetentionTag?
    ArchiveTag:RetentionTag? RetentionDate:datetime? Preview? RightsManagementLicenseData?
    PredictedActionReasons{PredictedActionReason+}? IsClutter:bool? NextPredictedAction:PredictedMessageAction?
    GroupingAction:PredictedMessageAction? BlockStatus:bool? HasBlockedImages:bool? TextBody:Body? IconIndex?
    MimeContentUTF8{.str @CharacterSet?}? SearchKey:base64? SortKey:int? Hashtags:Strings? Mentions:Recipients?
    MentionedMe:bool? PendingSocialActivityTagIds:Strings?
Message = ^Item Sender:Recipient? ToRecipients:Recipients? CcRecipients:Recipients? BccRecipients:Recipients?
    IsReadReceiptRequested:bool? IsDeliveryReceiptRequested:bool? ConversationIndex:base64? ConversationTopic? From:Recipient?
    InternetMessageId? IsRead:bool? IsResponseRequested:bool? References? ReplyTo:Recipients? ReceivedBy:Recipient?
    ReceivedRepresenting:Recipient? ApprovalRequestData{IsUndecidedApprovalRequest:bool? ApprovalDecision:int?
    ApprovalDecisionMaker? ApprovalDecisionTime:datetime?}? VotingInformation{UserOptions{VotingOptionData{DisplayName?
    SendPrompt<None|Send|VotingOption>?}*}? VotingResponse?}? ReminderMessageData{ReminderText? Location? StartTime:datetime?
    EndTime:datetime? AssociatedCalendarItemId:ItemId?}?
PostItem = ^Item ConversationIndex:base64? ConversationTopic? From:Recipient? InternetMessageId? IsRead:bool?
    PostedTime:datetime? References? Sender:Recipient?
Body = .str @BodyType<HTML|Text> @IsTruncated:bool?
InternetHeaders = InternetMessageHeader{.str @HeaderName}+
RightsManagementLicenseData = RightsManagedMessageDecryptionStatus:int? RmsTemplateId? TemplateName? TemplateDescription?
    EditAllowed:bool? ReplyAllowed:bool? ReplyAllAllowed:bool? ForwardAllowed:bool? ModifyRecipientsAllowed:bool?
    ExtractAllowed:bool? PrintAllowed:bool? ExportAllowed:bool? ProgrammaticAccessAllowed:bool? IsOwner:bool? ContentOwner?
    ContentExpiryDate?

# Attachments
AttachmentList = (ItemAttachment | FileAttachment{^Attachment IsContactPhoto:bool? Content:base64?} |
    ReferenceAttachment{^Attachment AttachLongPathName? ProviderType? ProviderEndpointUrl? AttachmentThumbnailUrl?
    AttachmentPreviewUrl? PermissionType:int? AttachmentIsFolder:bool?})+
Attachment = AttachmentId:FullAttachmentId? Name? ContentType? ContentId? ContentLocation? Size:int?
    LastModifiedTime:datetime? IsInline:bool?
ItemAttachment = ^Attachment (Item | Message | CalendarItem | Contact | MeetingMessage | MeetingRequest | MeetingResponse |
    MeetingCancellation | Task | PostItem)?

# Answers to an item
%Response = ReplyToItem:SmartResponse | ReplyAllToItem:SmartResponse | ForwardItem:SmartResponse | AcceptItem:MeetingReply |
    TentativelyAcceptItem:MeetingReply | DeclineItem:MeetingReply | CancelCalendarItem:SmartResponse | RemoveItem |
    SuppressReadReceipt:ReferenceOnly | PostReplyItem | AcceptSharingInvitation:ReferenceOnly
ResponseObjects = %Response*
SmartResponse = Subject? Body? ToRecipients:Recipients? CcRecipients:Recipients? BccRecipients:Recipients?
    IsReadReceiptRequested:bool? IsDeliveryReceiptRequested:bool? From:Recipient? ReferenceItemId:ItemId? NewBodyContent:Body?
MeetingReply = ItemClass? Sensitivity:SensitivityChoices? Body? Attachments:AttachmentList?
    InternetMessageHeaders:InternetHeaders?
    Sender:Recipient? ToRecipients:Recipients? CcRecipients:Recipients? BccRecipients:Recipients? IsReadReceiptRequested:bool?
    IsDeliveryReceiptRequested:bool? From:Recipient? ReferenceItemId:ItemId? ProposedStart:datetime? ProposedEnd:datetime?
RemoveItem = ^Message ReferenceItemId:ItemId? @ObjectName?
PostReplyItem = Subject? Body? ReferenceItemId:ItemId? NewBodyContent:Body?
ReferenceOnly = ReferenceItemId:ItemId?

# Calendar
CalendarItem = ^Item UID? RecurrenceId:datetime? DateTimeStamp:datetime? Start:datetime? End:datetime? OriginalStart:datetime?
    IsAllDayEvent:bool? LegacyFreeBusyStatus:LegacyFreeBusy? Location? When? IsMeeting:bool? IsCancelled:bool?
    IsRecurring:bool? MeetingRequestWasSent:bool? IsResponseRequested:bool? CalendarItemType? MyResponseType:ResponseType?
    Organizer:Recipient? RequiredAttendees:Attendees? OptionalAttendees:Attendees? Resources:Attendees?
    ConflictingMeetingCount:int? AdjacentMeetingCount:int? ConflictingMeetings:ItemList? AdjacentMeetings:ItemList? Duration?
    TimeZone? AppointmentReplyTime:datetime? AppointmentSequenceNumber:int? AppointmentState:int? Recurrence?
    FirstOccurrence:OccurrenceInfo? LastOccurrence:OccurrenceInfo? ModifiedOccurrences{Occurrence:OccurrenceInfo+}?
    DeletedOccurrences:DeletedOccurrenceList? MeetingTimeZone? StartTimeZone:TimeZoneDefinition?
    EndTimeZone:TimeZoneDefinition? ConferenceType:int? AllowNewTimeProposal:bool? IsOnlineMeeting:bool? MeetingWorkspaceUrl?
    NetShowUrl? EnhancedLocation? StartWallClock:datetime? EndWallClock:datetime? StartTimeZoneId? EndTimeZoneId?
    IntendedFreeBusyStatus:LegacyFreeBusy? JoinOnlineMeetingUrl?
    OnlineMeetingSettings{LobbyBypass<Disabled|EnabledForGatewayParticipants> AccessLevel<Locked|Invited|Internal|Everyone>
    Presenters<Disabled|Internal|Everyone>}? IsOrganizer:bool? InboxReminders{InboxReminder{Id:Guid? ReminderOffset:int?
    Message:str? IsOrganizerReminder:bool? OccurrenceChange<None|Added|Override|Deleted>? IsImportedFromOLC:bool?
    SendOption<NotSet|User|AllAttendees|Staff|Customer>?}*}?
MeetingMessage = ^Message AssociatedCalendarItemId:ItemId? IsDelegated:bool? IsOutOfDate:bool? HasBeenProcessed:bool?
    ResponseType? UID? RecurrenceId:datetime? DateTimeStamp:datetime? IsOrganizer:bool?
MeetingRequest = ^MeetingMessage
    MeetingRequestType<None|FullUpdate|InformationalUpdate|NewMeetingRequest|Outdated|SilentUpdate|PrincipalWantsCopy>?
    IntendedFreeBusyStatus:LegacyFreeBusy? Start:datetime? End:datetime? OriginalStart:datetime? IsAllDayEvent:bool?
    LegacyFreeBusyStatus:LegacyFreeBusy? Location? When? IsMeeting:bool? IsCancelled:bool? IsRecurring:bool?
    MeetingRequestWasSent:bool? CalendarItemType? MyResponseType:ResponseType? Organizer:Recipient?
    RequiredAttendees:Attendees? OptionalAttendees:Attendees? Resources:Attendees? ConflictingMeetingCount:int?
    AdjacentMeetingCount:int? ConflictingMeetings:ItemList? AdjacentMeetings:ItemList? Duration? TimeZone?
    AppointmentReplyTime:datetime? AppointmentSequenceNumber:int? AppointmentState:int? Recurrence?
    FirstOccurrence:OccurrenceInfo? LastOccurrence:OccurrenceInfo? ModifiedOccurrences{Occurrence:OccurrenceInfo+}?
    DeletedOccurrences:DeletedOccurrenceList? MeetingTimeZone? StartTimeZone:TimeZoneDefinition?
    EndTimeZone:TimeZoneDefinition? ConferenceType:int? AllowNewTimeProposal:bool? IsOnlineMeeting:bool? MeetingWorkspaceUrl?
    NetShowUrl? EnhancedLocation? ChangeHighlights{HasLocationChanged:bool? Location? HasStartTimeChanged:bool?
    Start:datetime? HasEndTimeChanged:bool? End:datetime?}? StartWallClock:datetime? EndWallClock:datetime? StartTimeZoneId?
    EndTimeZoneId?
MeetingResponse = ^MeetingMessage Start:datetime? End:datetime? Location? Recurrence? CalendarItemType:str?
    ProposedStart:datetime? ProposedEnd:datetime? EnhancedLocation?
MeetingCancellation = ^MeetingMessage Start:datetime? End:datetime? Location? Recurrence? CalendarItemType:str?
    EnhancedLocation?
Attendees = Attendee{Mailbox:EmailAddress ResponseType? LastResponseTime:datetime? ProposedStart:datetime?
    ProposedEnd:datetime?}+
EnhancedLocation = DisplayName? Annotation? PostalAddress:Unchecked?
OccurrenceInfo = ItemId Start:datetime End:datetime OriginalStart:datetime
DeletedOccurrenceList = DeletedOccurrence{Start:datetime}+

# Recurrence and time zones
Recurrence = %Pattern %Range
TaskRecurrence = (%Pattern | DailyRegeneration:Every | WeeklyRegeneration:Every | MonthlyRegeneration:Every |
    YearlyRegeneration:Every) %Range
%Pattern = RelativeYearlyRecurrence | AbsoluteYearlyRecurrence | RelativeMonthlyRecurrence | AbsoluteMonthlyRecurrence |
    WeeklyRecurrence | DailyRecurrence:Every
%Range = NoEndRecurrence{StartDate:date} | EndDateRecurrence{StartDate:date EndDate:date} | NumberedRecurrence{StartDate:date
    NumberOfOccurrences:int}
Every = Interval:int
RelativeYearlyRecurrence = DaysOfWeek:DayOfWeek DayOfWeekIndex Month:MonthNames
AbsoluteYearlyRecurrence = DayOfMonth:int Month:MonthNames
RelativeMonthlyRecurrence = Interval:int DaysOfWeek:DayOfWeek DayOfWeekIndex
AbsoluteMonthlyRecurrence = Interval:int DayOfMonth:int
WeeklyRecurrence = Interval:int DaysOfWeek FirstDayOfWeek:DayOfWeek?
MeetingTimeZone = (BaseOffset:duration (Standard:TimeChange Daylight:TimeChange)?)? @TimeZoneName?
TimeChange = Offset:duration (RelativeYearlyRecurrence | AbsoluteDate:date)? Time:time @TimeZoneName?
TimeZoneDefinition = (Periods{Period{@Bias:duration @Name @Id}+} TransitionsGroups{TransitionsGroup:Transitions+}?
    Transitions?)? @Id? @Name?
Transitions = %AnyTransition+ @Id?
%AnyTransition = Transition | AbsoluteDateTransition{^Transition DateTime:datetime} | RecurringDayTransition{^Transition
    TimeOffset:duration Month:int DayOfWeek Occurrence:int} | RecurringDateTransition{^Transition TimeOffset:duration
    Month:int Day:int}
Transition = To{.str @Kind<Period|Group>}

# Contacts and tasks
Contact = ^Item FileAs? FileAsMapping? DisplayName? GivenName? Initials? MiddleName? Nickname? CompleteName{Title? FirstName?
    MiddleName? LastName? Suffix? Initials? FullName? Nickname? YomiFirstName? YomiLastName?}? CompanyName?
    EmailAddresses{Entry{.str @Key<EmailAddress1|EmailAddress2|EmailAddress3> @Name? @RoutingType? @MailboxType?}+}?
    PhysicalAddresses{Entry{Street? City? State? CountryOrRegion? PostalCode? @Key<Business|Home|Other>}+}?
    PhoneNumbers{Entry{.str @Key:PhoneNumberKey}+}? AssistantName? Birthday:datetime? BusinessHomePage? Children:Strings?
    Companies:Strings? ContactSource? Department? Generation? ImAddresses{Entry{.str
    @Key<ImAddress1|ImAddress2|ImAddress3>}+}? JobTitle? Manager? Mileage? OfficeLocation?
    PostalAddressIndex<None|Business|Home|Other>? Profession? SpouseName? Surname? WeddingAnniversary:datetime?
    BirthdayLocal:datetime? WeddingAnniversaryLocal:datetime? HasPicture:bool? PhoneticFullName? PhoneticFirstName?
    PhoneticLastName? Alias? Notes? Photo:base64? UserSMIMECertificate{Base64Binary:base64*}?
    MSExchangeCertificate{Base64Binary:base64*}? DirectoryId? ManagerMailbox:Recipient? DirectReports:Recipients? AccountName?
    IsAutoUpdateDisabled:bool? IsMessengerEnabled:bool? Comment? ContactShortId:int? ContactType? Gender? IsHidden:bool?
    ObjectId? PassportId:int? IsPrivate:bool? SourceId? TrustLevel:int? CreatedBy?
    Urls{Url{Type<Personal|Business|Attachment|EbcDisplayDefinition|EbcFinalImage|EbcLogo|Feed|Image|InternalMarker|Other>
    Address? Name?}+}? AbchEmailAddresses{Email{Type<Personal|Business|Other|Passport> Address IsMessengerEnabled:bool?
    Capabilities:int?}+}? Cid:int? SkypeAuthCertificate? SkypeContext? SkypeId? SkypeRelationship? YomiNickname? XboxLiveTag?
    InviteFree:bool? HidePresenceAndProfile:bool? IsPendingOutbound:bool? SupportGroupFeeds:bool? UserTileHash?
    UnifiedInbox:bool? Mris:Strings? Wlid? AbchContactId:Guid? NotInBirthdayCalendar:bool? ShellContactType? ImMri:int?
    PresenceTrustLevel? OtherMri? ProfileLastChanged? MobileImEnabled:bool? DisplayNamePrefix? YomiGivenName? YomiSurname?
    PersonalNotes? PersonId:ItemId?
DistributionList = ^Item DisplayName? FileAs? ContactSource? Members{Member{Mailbox:EmailAddress?
    Status<Unrecognized|Normal|Demoted>? @Key?}*}?
Task = ^Item ActualWork:int? AssignedTime:datetime? BillingInformation? ChangeCount:int? Companies:Strings?
    CompleteDate:datetime? Contacts:Strings? DelegationState<NoMatch|OwnNew|Owned|Accepted|Declined|Max>? Delegator?
    DueDate:datetime? IsAssignmentEditable:int? IsComplete:bool? IsRecurring:bool? IsTeamTask:bool? Mileage? Owner?
    PercentComplete:float? Recurrence:TaskRecurrence? StartDate:datetime?
    Status<NotStarted|InProgress|Completed|WaitingOnOthers|Deferred>? StatusDescription? TotalWork:int?
"""
