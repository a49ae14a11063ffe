"""The request schema of Exchange 2016 as tables; grammar.py explains the notation, vocabulary_items.py has the items.

Only requests are here, and of those what the sandbox serves or may come to serve. What no client sends is left unchecked.
"""

from .vocabulary_items import ITEMS

OPERATIONS = """
# Items
GetItem = ItemShape:ItemResponseShape ItemIds:ItemIdList
CreateItem = SavedItemFolderId:TargetFolderId? Items:ItemList @MessageDisposition?
    @SendMeetingInvitations:CalendarItemCreateOrDeleteOperation?
UpdateItem = SavedItemFolderId:TargetFolderId? ItemChanges{ItemChange{(ItemId | OccurrenceItemId | RecurringMasterItemId)
    Updates{(AppendToItemField{%Path %AnyItem} | SetItemField{%Path %AnyItem} | DeleteItemField{%Path})+}}+}
    @ConflictResolution<NeverOverwrite|AutoResolve|AlwaysOverwrite> @MessageDisposition?
    @SendMeetingInvitationsOrCancellations:CalendarItemUpdateOperation? @SuppressReadReceipts:bool?
DeleteItem = ItemIds:ItemIdList @DeleteType:Disposal @SendMeetingCancellations:CalendarItemCreateOrDeleteOperation?
    @AffectedTaskOccurrences<AllOccurrences|SpecifiedOccurrenceOnly>? @SuppressReadReceipts:bool?
MoveItem = ToFolderId:TargetFolderId ItemIds:ItemIdList ReturnNewItemIds:bool?
CopyItem = ToFolderId:TargetFolderId ItemIds:ItemIdList ReturnNewItemIds:bool?
SendItem = ItemIds:ItemIdList SavedItemFolderId:TargetFolderId? @SaveItemToFolder:bool
MarkAllItemsAsRead = ReadFlag:bool SuppressReadReceipts:bool FolderIds:FolderIdList
MarkAsJunk = ItemIds:ItemIdList @IsJunk:bool @MoveItem:bool
ExportItems = ItemIds{ItemId+}
UploadItems = Items{Item{ParentFolderId:FolderId ItemId? Data:base64 @CreateAction<CreateNew|Update|UpdateOrCreate>
    @IsAssociated:bool?}+}
CreateAttachment = ParentItemId:ItemId Attachments:AttachmentList
GetAttachment = AttachmentShape{IncludeMimeContent:bool? BodyType:BodyTypeResponse? FilterHtmlContent:bool?
    AdditionalProperties:Paths?}? AttachmentIds{AttachmentId+}
DeleteAttachment = AttachmentIds{AttachmentId+}

# Folders
GetFolder = FolderShape:FolderResponseShape FolderIds:FolderIdList
CreateFolder = ParentFolderId:TargetFolderId Folders{%AnyFolder+}
UpdateFolder = FolderChanges{FolderChange{(FolderId | DistinguishedFolderId) Updates{(AppendToFolderField{%Path %AnyFolder} |
    SetFolderField{%Path %AnyFolder} | DeleteFolderField{%Path})+}}+}
DeleteFolder = FolderIds:FolderIdList @DeleteType:Disposal
EmptyFolder = FolderIds:FolderIdList @DeleteType:Disposal @DeleteSubFolders:bool
MoveFolder = ToFolderId:TargetFolderId FolderIds:FolderIdList
CopyFolder = ToFolderId:TargetFolderId FolderIds:FolderIdList

# Finding
FindFolder = FolderShape:FolderResponseShape (IndexedPageFolderView:IndexedPageView |
    FractionalPageFolderView:FractionalPageView)? Restriction? ParentFolderIds:FolderIdList
    @Traversal<Shallow|Deep|SoftDeleted>
FindItem = ItemShape:ItemResponseShape (IndexedPageItemView:IndexedPageView | FractionalPageItemView:FractionalPageView |
    SeekToConditionPageItemView{Condition:Restriction @MaxEntriesReturned:int? @BasePoint:IndexBasePoint} |
    CalendarView{@MaxEntriesReturned:int? @StartDate:datetime @EndDate:datetime} | ContactsView{@MaxEntriesReturned:int?
    @InitialName? @FinalName?})? (GroupBy{%Path AggregateOn{%Path @Aggregate<Minimum|Maximum>} @Order:SortDirection} |
    DistinguishedGroupBy{StandardGroupBy<ConversationTopic> @Order:SortDirection})? Restriction? SortOrder?
    ParentFolderIds:FolderIdList QueryString{.str @ResetCache:bool? @ReturnHighlightTerms:bool? @ReturnDeletedItems:bool?}?
    @Traversal<Shallow|SoftDeleted|Associated>
FindPeople = PersonaShape{BaseShape:DefaultShapeNames AdditionalProperties:Paths?}? IndexedPageItemView:IndexedPageView
    Restriction?
    AggregationRestriction:Restriction? SortOrder? ParentFolderId:TargetFolderId? QueryString?
    SearchPeopleSuggestionIndex:bool? TopicQueryString? Context{ContextProperty{Key Value}+}?
GetPersona = PersonaId:ItemId? EmailAddress? ParentFolderId:TargetFolderId?
ResolveNames = ParentFolderIds:FolderIdList? UnresolvedEntry:NonEmptyString @ReturnFullContactData:bool
    @SearchScope<ActiveDirectory|ActiveDirectoryContacts|Contacts|ContactsActiveDirectory>?
    @ContactDataShape:DefaultShapeNames?
ExpandDL = Mailbox:EmailAddress
ConvertId = SourceIds{(AlternateId{@Format:IdFormat @Id @Mailbox:NonEmptyString @IsArchive:bool?} |
    AlternatePublicFolderId{@Format:IdFormat @FolderId:str} | AlternatePublicFolderItemId{@Format:IdFormat @FolderId:str
    @ItemId:str})+} @DestinationFormat:IdFormat

# Keeping in step
SyncFolderHierarchy = FolderShape:FolderResponseShape SyncFolderId:TargetFolderId? SyncState?
SyncFolderItems = ItemShape:ItemResponseShape SyncFolderId:TargetFolderId SyncState? Ignore{ItemId*}?
    MaxChangesReturned:MaxSyncChangesReturned SyncScope<NormalItems|NormalAndAssociatedItems>? NumberOfDays:int?
    MaximumCount:int? MinimumCount:int?
Subscribe = (PullSubscriptionRequest{FolderIds:FolderIdList? EventTypes Watermark:NonEmptyString? Timeout:Minutes
    @SubscribeToAllFolders:bool?} | PushSubscriptionRequest{FolderIds:FolderIdList? EventTypes Watermark:NonEmptyString?
    StatusFrequency:Minutes URL CallerData? @SubscribeToAllFolders:bool?} |
    StreamingSubscriptionRequest{FolderIds:FolderIdList? EventTypes @SubscribeToAllFolders:bool?})
Unsubscribe = SubscriptionId:NonEmptyString
GetEvents = SubscriptionId:NonEmptyString Watermark:NonEmptyString
GetStreamingEvents = SubscriptionIds{SubscriptionId:NonEmptyString+} ConnectionTimeout:StreamMinutes

# The rest
GetUserConfiguration = UserConfigurationName UserConfigurationProperties
CreateUserConfiguration = UserConfiguration
UpdateUserConfiguration = UserConfiguration
DeleteUserConfiguration = UserConfigurationName
GetServerTimeZones = Ids{Id+}? @ReturnFullTimeZoneData:bool?
GetUserPhoto = Email SizeRequested<HR48x48|HR64x64|HR96x96|HR120x120|HR240x240|HR360x360|HR432x432|HR504x504|HR648x648>
GetUserOofSettingsRequest = ^OofMailbox
SetUserOofSettingsRequest = ^OofChange
GetReminders = BeginTime:datetime? EndTime:datetime? MaxItems? ReminderType<All|Current|Old>?
AddDelegate = Mailbox:EmailAddress DelegateUsers{DelegateUser+} DeliverMeetingRequests:DeliverMeetingRequests?
GetDelegate = Mailbox:EmailAddress UserIds{UserId+}? @IncludePermissions:bool
UpdateDelegate = Mailbox:EmailAddress DelegateUsers{DelegateUser+}? DeliverMeetingRequests:DeliverMeetingRequests?
RemoveDelegate = Mailbox:EmailAddress UserIds{UserId+}
GetRoomLists =
GetRooms = RoomList:EmailAddress
GetPasswordExpirationDate = MailboxSmtpAddress?
"""

TYPES = (
    """
# Ids and paths
ItemId = @Id @ChangeKey?
OccurrenceItemId = @RecurringMasterId @ChangeKey? @InstanceIndex:int
RecurringMasterItemId = @OccurrenceId @ChangeKey?
ItemIdList = (ItemId | OccurrenceItemId | RecurringMasterItemId | RecurringMasterItemIdRanges{^ItemId
    Ranges{Range{@Start:datetime? @End:datetime? @Count:int? @CompareOriginalStartTime:bool?}+}?})+
FolderId = @Id @ChangeKey?
DistinguishedFolderId = Mailbox:EmailAddress? @Id:DistinguishedFolderIdName @ChangeKey?
FolderIdList = (FolderId | DistinguishedFolderId)+
TargetFolderId = (FolderId | DistinguishedFolderId | AddressListId{@Id})
AttachmentId = @Id
FullAttachmentId = @Id @RootItemId? @RootItemChangeKey?
%Path = FieldURI | IndexedFieldURI | ExtendedFieldURI
Paths = %Path+
FieldURI = @FieldURI:UnindexedFieldURI
IndexedFieldURI = @FieldURI:DictionaryURI @FieldIndex
ExtendedFieldURI = @DistinguishedPropertySetId? @PropertySetId:Guid? @PropertyTag? @PropertyName? @PropertyId:int?
    @PropertyType:MapiPropertyType
ExtendedProperty = ExtendedFieldURI (Value | Values{Value+})

# Shapes, views and searches
ItemResponseShape = BaseShape:DefaultShapeNames IncludeMimeContent:bool? BodyType:BodyTypeResponse?
    UniqueBodyType:BodyTypeResponse?
    NormalizedBodyType:BodyTypeResponse? FilterHtmlContent:bool? ConvertHtmlCodePageToUTF8:bool? InlineImageUrlTemplate?
    BlockExternalImages:bool? AddBlankTargetToLinks:bool? MaximumBodySize:int? AdditionalProperties:Paths?
FolderResponseShape = BaseShape:DefaultShapeNames AdditionalProperties:Paths?
IndexedPageView = @MaxEntriesReturned:int? @Offset:int @BasePoint:IndexBasePoint
FractionalPageView = @MaxEntriesReturned:int? @Numerator:int @Denominator:int
SortOrder = FieldOrder{%Path @Order:SortDirection}+
Restriction = %Search
%Search = And:Several | Or:Several | Not:Restriction | Exists{%Path} | Contains | Excludes{%Path Bitmask{@Value:Bitmask}} |
    IsEqualTo:Comparison | IsNotEqualTo:Comparison | IsGreaterThan:Comparison | IsGreaterThanOrEqualTo:Comparison |
    IsLessThan:Comparison | IsLessThanOrEqualTo:Comparison
Several = %Search+
Comparison = %Path FieldURIOrConstant{(%Path | Constant{@Value})}
Contains = %Path Constant{@Value} @ContainmentMode<FullString|Prefixed|Substring|PrefixOnWords|ExactPhrase>?
    @ContainmentComparison?

# Folders
%AnyFolder = Folder | CalendarFolder | ContactsFolder | SearchFolder | TasksFolder:Folder
BaseFolder = FolderId? ParentFolderId:FolderId? FolderClass? DisplayName? TotalCount:int? ChildFolderCount:int?
    ExtendedProperty* ManagedFolderInformation{CanDelete:bool? CanRenameOrMove:bool? MustDisplayComment:bool? HasQuota:bool?
    IsManagedFoldersRoot:bool? ManagedFolderId? Comment? StorageQuota:int? FolderSize:int? HomePage?}? EffectiveRights?
    DistinguishedFolderId:DistinguishedFolderIdName? PolicyTag:RetentionTag? ArchiveTag:RetentionTag? ReplicaList:Strings?
Folder = ^BaseFolder PermissionSet? UnreadCount:int?
CalendarFolder = ^BaseFolder SharingEffectiveRights:CalendarPermissionReadAccess?
    PermissionSet{CalendarPermissions{CalendarPermission{^BasePermission ReadItems:CalendarPermissionReadAccess?
    CalendarPermissionLevel}*} UnknownEntries{UnknownEntry*}?}?
ContactsFolder = ^BaseFolder SharingEffectiveRights:PermissionReadAccess? PermissionSet? SourceId? AccountName?
SearchFolder = ^Folder SearchParameters{Restriction BaseFolderIds:FolderIdList @Traversal<Shallow|Deep>?}?
PermissionSet = Permissions{Permission{^BasePermission ReadItems:PermissionReadAccess?
    PermissionLevel<None|Owner|PublishingEditor|Editor|PublishingAuthor|Author|NoneditingAuthor|Reviewer|Contributor|Custom>}*}
    UnknownEntries{UnknownEntry*}?
UserId = SID? PrimarySmtpAddress? DisplayName? DistinguishedUser<Default|Anonymous>? ExternalUserIdentity?
BasePermission = UserId
    CanCreateItems:bool? CanCreateSubFolders:bool? IsFolderOwner:bool? IsFolderVisible:bool? IsFolderContact:bool?
    EditItems:PermissionAction? DeleteItems:PermissionAction?

DelegateUser = UserId DelegatePermissions? ReceiveCopiesOfMeetingMessages:bool? ViewPrivateItems:bool?
DelegatePermissions = CalendarFolderPermissionLevel:DelegateLevel? TasksFolderPermissionLevel:DelegateLevel?
    InboxFolderPermissionLevel:DelegateLevel? ContactsFolderPermissionLevel:DelegateLevel?
    NotesFolderPermissionLevel:DelegateLevel? JournalFolderPermissionLevel:DelegateLevel?

# Configuration and subscriptions
UserConfigurationName = ^TargetFolderId @Name:NonEmptyString
UserConfiguration = UserConfigurationName ItemId? Dictionary{DictionaryEntry{DictionaryKey:DictionaryObject
    DictionaryValue:DictionaryObject}*}? XmlData:base64? BinaryData:base64?
DictionaryObject =
    Type<DateTime|Boolean|Byte|String|Integer32|UnsignedInteger32|Integer64|UnsignedInteger64|StringArray|ByteArray> Value+
OofMailbox = Mailbox{Name? Address RoutingType?}
OofChange = ^OofMailbox UserOofSettings{OofState<Disabled|Enabled|Scheduled> ExternalAudience<None|Known|All>
    Duration{StartTime:datetime EndTime:datetime}? InternalReply:Unchecked? ExternalReply:Unchecked?}
EventTypes = EventType<CopiedEvent|CreatedEvent|DeletedEvent|ModifiedEvent|MovedEvent|NewMailEvent|FreeBusyChangedEvent>+

# Everywhere
EmailAddress = Name? EmailAddress:NonEmptyString? RoutingType:NonEmptyString? MailboxType? ItemId? OriginalDisplayName?
Recipient = Mailbox:EmailAddress
Recipients = Mailbox:EmailAddress*
Strings = String*
EffectiveRights = CreateAssociated:bool CreateContents:bool CreateHierarchy:bool Delete:bool Modify:bool Read:bool
    ViewPrivateItems:bool?
RetentionTag = .Guid @IsExplicit:bool
Unchecked = anything

# Words
DefaultShapeNames < IdOnly Default AllProperties
BodyTypeResponse < Best HTML Text
UnindexedFieldURI <
    folder: FolderId ParentFolderId DisplayName UnreadCount TotalCount ChildFolderCount FolderClass SearchParameters
        ManagedFolderInformation PermissionSet EffectiveRights SharingEffectiveRights DistinguishedFolderId PolicyTag
        ArchiveTag ReplicaList
    item: ItemId ParentFolderId ItemClass MimeContent Attachments Subject DateTimeReceived Size Categories HasAttachments
        Importance InReplyTo InternetMessageHeaders IsAssociated IsDraft IsFromMe IsResend IsSubmitted IsUnmodified
        DateTimeSent DateTimeCreated Body ResponseObjects Sensitivity ReminderDueBy ReminderIsSet ReminderNextTime
        ReminderMinutesBeforeStart DisplayTo DisplayCc Culture EffectiveRights LastModifiedName LastModifiedTime
        ConversationId UniqueBody Flag StoreEntryId InstanceKey NormalizedBody EntityExtractionResult PolicyTag ArchiveTag
        RetentionDate Preview NextPredictedAction GroupingAction PredictedActionReason IsClutter
        RightsManagementLicenseData BlockStatus HasBlockedImages WebClientReadFormQueryString WebClientEditFormQueryString
        TextBody IconIndex MimeContentUTF8 Hashtags Mentions MentionedMe PendingSocialActivityTagIds
    message: ConversationIndex ConversationTopic InternetMessageId IsRead IsResponseRequested IsReadReceiptRequested
        IsDeliveryReceiptRequested ReceivedBy ReceivedRepresenting References ReplyTo From Sender ToRecipients
        CcRecipients BccRecipients ApprovalRequestData VotingInformation ReminderMessageData
    meeting: AssociatedCalendarItemId IsDelegated IsOutOfDate HasBeenProcessed ResponseType ProposedStart ProposedEnd
    meetingRequest: MeetingRequestType IntendedFreeBusyStatus ChangeHighlights
    calendar: Start End OriginalStart StartWallClock EndWallClock StartTimeZoneId EndTimeZoneId IsAllDayEvent
        LegacyFreeBusyStatus Location EnhancedLocation When IsMeeting IsCancelled IsRecurring MeetingRequestWasSent
        IsResponseRequested CalendarItemType MyResponseType Organizer RequiredAttendees OptionalAttendees Resources
        ConflictingMeetingCount AdjacentMeetingCount ConflictingMeetings AdjacentMeetings InboxReminders Duration TimeZone
        AppointmentReplyTime AppointmentSequenceNumber AppointmentState Recurrence FirstOccurrence LastOccurrence
        ModifiedOccurrences DeletedOccurrences MeetingTimeZone ConferenceType AllowNewTimeProposal IsOnlineMeeting
        MeetingWorkspaceUrl NetShowUrl UID RecurrenceId DateTimeStamp StartTimeZone EndTimeZone JoinOnlineMeetingUrl
        OnlineMeetingSettings IsOrganizer
    task: ActualWork AssignedTime BillingInformation ChangeCount Companies CompleteDate Contacts DelegationState Delegator
        DueDate IsAssignmentEditable IsComplete IsRecurring IsTeamTask Mileage Owner PercentComplete Recurrence StartDate
        Status StatusDescription TotalWork
    contacts: Alias AssistantName Birthday BusinessHomePage Children Companies CompanyName CompleteName ContactSource
        Culture Department DisplayName DirectoryId DirectReports EmailAddresses AbchEmailAddresses FileAs FileAsMapping
        Generation GivenName ImAddresses Initials JobTitle Manager ManagerMailbox MiddleName Mileage MSExchangeCertificate
        Nickname Notes OfficeLocation PhoneNumbers PhoneticFullName PhoneticFirstName PhoneticLastName Photo
        PhysicalAddresses PostalAddressIndex Profession SpouseName Surname WeddingAnniversary UserSMIMECertificate
        HasPicture AccountName IsAutoUpdateDisabled IsMessengerEnabled Comment ContactShortId ContactType CreatedBy Gender
        IsHidden ObjectId PassportId IsPrivate SourceId TrustLevel Urls Cid SkypeAuthCertificate SkypeContext SkypeId
        XboxLiveTag SkypeRelationship YomiNickname InviteFree HidePresenceAndProfile IsPendingOutbound SupportGroupFeeds
        UserTileHash UnifiedInbox Mris Wlid AbchContactId NotInBirthdayCalendar ShellContactType ImMri PresenceTrustLevel
        OtherMri ProfileLastChanged MobileIMEnabled PartnerNetworkProfilePhotoUrl PartnerNetworkThumbnailPhotoUrl
    distributionlist: Members
    postitem: PostedTime
    conversation: ConversationId ConversationTopic UniqueRecipients GlobalUniqueRecipients UniqueUnreadSenders
        GlobalUniqueUnreadSenders UniqueSenders GlobalUniqueSenders LastDeliveryTime GlobalLastDeliveryTime Categories
        GlobalCategories FlagStatus GlobalFlagStatus HasAttachments GlobalHasAttachments HasIrm GlobalHasIrm MessageCount
        GlobalMessageCount UnreadCount GlobalUnreadCount Size GlobalSize ItemClasses GlobalItemClasses Importance
        GlobalImportance ItemIds GlobalItemIds LastModifiedTime InstanceKey Preview NextPredictedAction GroupingAction
        IconIndex GlobalIconIndex DraftItemIds HasClutter MentionedMe GlobalMentionedMe
    persona: PersonaId PersonaType GivenName CompanyName Surname DisplayName EmailAddress FileAs HomeCity CreationTime
        RelevanceScore RankingWeight WorkCity PersonaObjectStatus FileAsId DisplayNamePrefix YomiCompanyName YomiFirstName
        YomiLastName Title EmailAddress EmailAddresses PhoneNumber ImAddress ImAddresses ImAddresses2 ImAddresses3
        FolderIds Attributions DisplayNames Initials FileAses FileAsIds DisplayNamePrefixes GivenNames MiddleNames
        Surnames Generations Nicknames YomiCompanyNames YomiFirstNames YomiLastNames BusinessPhoneNumbers
        BusinessPhoneNumbers2 HomePhones HomePhones2 MobilePhones MobilePhones2 AssistantPhoneNumbers CallbackPhones
        CarPhones HomeFaxes OrganizationMainPhones OtherFaxes OtherTelephones OtherPhones2 Pagers RadioPhones TelexNumbers
        WorkFaxes Emails1 Emails2 Emails3 BusinessHomePages School PersonalHomePages OfficeLocations BusinessAddresses
        HomeAddresses OtherAddresses Titles Departments CompanyNames Managers AssistantNames Professions SpouseNames
        Hobbies WeddingAnniversaries Birthdays Children Locations ExtendedProperties PostalAddress Bodies
DictionaryURI < item:InternetMessageHeader contacts:ImAddress contacts:PhysicalAddress:Street contacts:PhysicalAddress:City
    contacts:PhysicalAddress:State contacts:PhysicalAddress:CountryOrRegion contacts:PhysicalAddress:PostalCode
    contacts:PhoneNumber contacts:EmailAddress distributionlist:Members:Member
MapiPropertyType < ApplicationTime ApplicationTimeArray Binary BinaryArray Boolean CLSID CLSIDArray Currency CurrencyArray
    Double
    DoubleArray Error Float FloatArray Integer IntegerArray Long LongArray Null Object ObjectArray Short ShortArray SystemTime
    SystemTimeArray String StringArray
MailboxType < Unknown OneOff Mailbox PublicDL PrivateDL Contact PublicFolder GroupMailbox
DistinguishedFolderIdName < calendar contacts deleteditems drafts inbox journal notes outbox sentitems tasks msgfolderroot
    publicfoldersroot root junkemail searchfolders voicemail recoverableitemsroot recoverableitemsdeletions
    recoverableitemsversions recoverableitemspurges recoverableitemsdiscoveryholds archiveroot archivemsgfolderroot
    archivedeleteditems archiveinbox archiverecoverableitemsroot archiverecoverableitemsdeletions
    archiverecoverableitemsversions archiverecoverableitemspurges archiverecoverableitemsdiscoveryholds syncissues conflicts
    localfailures serverfailures recipientcache quickcontacts conversationhistory adminauditlogs todosearch mycontacts
    directory imcontactlist peopleconnect favorites mecontact personmetadata
SensitivityChoices < Normal Personal Private Confidential
LegacyFreeBusy < Free Tentative Busy OOF WorkingElsewhere NoData
CalendarItemType < Single Occurrence Exception RecurringMaster
ResponseType < Unknown Organizer Tentative Accept Decline NoResponseReceived
DayOfWeek < Sunday Monday Tuesday Wednesday Thursday Friday Saturday Day Weekday WeekendDay
DayOfWeekIndex < First Second Third Fourth Last
MonthNames < January February March April May June July August September October November December
FileAsMapping < None LastCommaFirst FirstSpaceLast Company LastCommaFirstCompany CompanyLastFirst LastFirst LastFirstCompany
    CompanyLastCommaFirst LastFirstSuffix LastSpaceFirstCompany CompanyLastSpaceFirst LastSpaceFirst DisplayName FirstName
    LastFirstMiddleSuffix LastName Empty
PhoneNumberKey < AssistantPhone BusinessFax BusinessPhone BusinessPhone2 Callback CarPhone CompanyMainPhone HomeFax HomePhone
    HomePhone2 Isdn MobilePhone OtherFax OtherTelephone Pager PrimaryPhone RadioPhone Telex TtyTddPhone BusinessMobile IPPhone
    Mms Msn
PredictedActionReason < None ConversationStarterIsYou OnlyRecipient ConversationContributions MarkedImportantBySender
    SenderIsManager SenderIsInManagementChain SenderIsDirectReport ActionBasedOnSender NameOnToLine NameOnCcLine
    ManagerPosition ReplyToAMessageFromMe PreviouslyFlagged ActionBasedOnRecipients ActionBasedOnSubjectWords
    ActionBasedOnBasedOnBodyWords
PredictedMessageAction < None Respond FollowUp MoveToFolder Delete Read Ignore
IconIndex < Default PostItem MailRead MailUnread MailReplied MailForwarded MailEncrypted MailSmimeSigned MailEncryptedReplied
    MailSmimeSignedReplied MailEncryptedForwarded MailSmimeSignedForwarded MailEncryptedRead MailSmimeSignedRead MailIrm
    MailIrmForwarded MailIrmReplied SmsSubmitted SmsRoutedToDeliveryPoint SmsRoutedToExternalMessagingSystem SmsDelivered
    OutlookDefaultForContacts AppointmentItem AppointmentRecur AppointmentMeet AppointmentMeetRecur AppointmentMeetNY
    AppointmentMeetYes AppointmentMeetNo AppointmentMeetMaybe AppointmentMeetCancel AppointmentMeetInfo TaskItem TaskRecur
    TaskOwned TaskDelegated
MessageDisposition < SaveOnly SendOnly SendAndSaveCopy
Disposal < HardDelete SoftDelete MoveToDeletedItems
PermissionAction < None Owned All
PermissionReadAccess < None FullDetails
CalendarPermissionReadAccess < None TimeOnly TimeAndSubjectAndLocation FullDetails
CalendarPermissionLevel < None Owner PublishingEditor Editor PublishingAuthor Author NoneditingAuthor Reviewer Contributor
    FreeBusyTimeOnly FreeBusyTimeAndSubjectAndLocation Custom
DeliverMeetingRequests < DelegatesOnly DelegatesAndMe DelegatesAndSendInformationToMe NoForward
DelegateLevel < None Editor Reviewer Author Custom
IndexBasePoint < Beginning End
SortDirection < Ascending Descending
IdFormat < EwsLegacyId EwsId EntryId HexEntryId StoreId OwaId
ContainmentComparison < Exact IgnoreCase IgnoreNonSpacingCharacters Loose IgnoreCaseAndNonSpacingCharacters LooseAndIgnoreCase
    LooseAndIgnoreNonSpace LooseAndIgnoreCaseAndIgnoreNonSpace
CalendarItemCreateOrDeleteOperation < SendToNone SendOnlyToAll SendToAllAndSaveCopy
CalendarItemUpdateOperation < SendToNone SendOnlyToAll SendOnlyToChanged SendToAllAndSaveCopy SendToChangedAndSaveCopy
DistinguishedPropertySetId < Meeting Appointment Common PublicStrings Address InternetHeaders CalendarAssistant
    UnifiedMessaging Task Sharing
ContactSource < ActiveDirectory Store
"""
    + ITEMS
)
