"""How an operation says no.

`ItemError` concerns one item of a request: it becomes one ResponseMessage with ResponseClass="Error" inside an answer
with HTTP status 200.  `RequestFault` concerns the whole request: it becomes a SOAP fault with HTTP status 500.  The
texts are those a real server sends; some clients recognise an error by its text alone.
"""

from __future__ import annotations

TEXTS = {
    "ErrorAccessDenied": "Access is denied. Check credentials and try again.",
    "ErrorAttachmentSizeLimitExceeded": "The attachment exceeds the maximum supported size.",
    "ErrorCalendarCannotMoveOrCopyOccurrence": "An occurrence of a recurring calendar item cannot be moved or copied.",
    "ErrorCalendarCannotUseIdForOccurrenceId": "The id is not that of a recurring item.",
    "ErrorCalendarCannotUseIdForRecurringMasterId": "The id is not that of an occurrence of a recurring item.",
    "ErrorCalendarDurationIsTooLong": "The duration of a calendar item cannot exceed five years.",
    "ErrorCalendarEndDateIsEarlierThanStartDate": "EndDate is earlier than StartDate",
    "ErrorCalendarFolderIsInvalidForCalendarView": "The folder is not a calendar folder.",
    "ErrorCalendarInvalidDayForTimeChangePattern": "The day is not valid for a change of clocks.",
    "ErrorCalendarInvalidDayForWeeklyRecurrence": "The days of the week are not valid for a weekly recurrence.",
    "ErrorCalendarInvalidRecurrence": "The recurrence is invalid.",
    "ErrorCalendarInvalidTimeZone": "The time zone is invalid.",
    "ErrorCalendarIsCancelledForAccept": "A cancelled meeting cannot be accepted.",
    "ErrorCalendarIsCancelledForDecline": "A cancelled meeting cannot be declined.",
    "ErrorCalendarIsCancelledForTentative": "A cancelled meeting cannot be accepted tentatively.",
    "ErrorCalendarIsDelegatedForAccept": "A meeting request that was delegated cannot be accepted.",
    "ErrorCalendarIsDelegatedForDecline": "A meeting request that was delegated cannot be declined.",
    "ErrorCalendarIsDelegatedForRemove": "A meeting that was delegated cannot be removed.",
    "ErrorCalendarIsDelegatedForTentative": "A meeting request that was delegated cannot be accepted tentatively.",
    "ErrorCalendarIsNotOrganizer": "You must be the organizer to perform this action.",
    "ErrorCalendarIsOrganizerForAccept": "The organizer cannot accept the meeting.",
    "ErrorCalendarIsOrganizerForDecline": "The organizer cannot decline the meeting.",
    "ErrorCalendarIsOrganizerForRemove": "The organizer cannot remove the meeting.",
    "ErrorCalendarIsOrganizerForTentative": "The organizer cannot accept the meeting tentatively.",
    "ErrorCalendarMeetingRequestIsOutOfDate": "The meeting request is out of date and cannot be used.",
    "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange": "Occurrence with this index is out of recurrence range.",
    "ErrorCalendarOccurrenceIsDeletedFromRecurrence": "Occurrence with this index was previously deleted from the recurrence.",
    "ErrorCalendarViewRangeTooBig": "The specified view range exceeds the maximum range of two years.",
    "ErrorCannotCreateCalendarItemInNonCalendarFolder": "Calendar items can only be saved in a calendar folder.",
    "ErrorCannotCreateContactInNonContactFolder": "Contacts can only be saved in a contacts folder.",
    "ErrorCannotCreateTaskInNonTaskFolder": "Tasks can only be saved in a tasks folder.",
    "ErrorCannotDeleteObject": "Cannot delete message because the destination folder is out of quota.",
    "ErrorCannotDeleteTaskOccurrence": "The last occurrence of a recurring task cannot be deleted by itself.",
    "ErrorCannotEmptyFolder": "The folder cannot be emptied.",
    "ErrorCannotUseFolderIdForItemId": "A folder id cannot be used where an item id is expected.",
    "ErrorCannotUseItemIdForFolderId": "An item id cannot be used where a folder id is expected.",
    "ErrorChangeKeyRequired": "A change key is required for this operation.",
    "ErrorChangeKeyRequiredForWriteOperations": "Change keys are required for this operation.",
    "ErrorDelegateAlreadyExists": "The user is already a delegate of the mailbox.",
    "ErrorDelegateCannotAddOwner": "The owner of a mailbox cannot be its delegate.",
    "ErrorDelegateNoUser": "The delegate is not a user of the directory.",
    "ErrorDeleteDistinguishedFolder": "Distinguished folders cannot be deleted.",
    "ErrorDistributionListMemberNotExist": "The list has no such member.",
    "ErrorFolderExists": "A folder with the specified name already exists.",
    "ErrorFolderNotFound": "The specified folder could not be found in the store.",
    "ErrorIncorrectUpdatePropertyCount": (
        "An object within a change description must contain one and only one property to modify."
    ),
    "ErrorInvalidAttachmentId": "The attachment id is invalid.",
    "ErrorInvalidChangeKey": "The change key is invalid.",
    "ErrorInvalidCompleteDate": "The completion date of a task cannot be in the future.",
    "ErrorInvalidDelegatePermission": "The level of a permission of the delegate is not valid.",
    "ErrorInvalidExtendedProperty": "The extended property attribute combination is invalid.",
    "ErrorInvalidExtendedPropertyValue": "The extended property value is invalid for its type.",
    "ErrorInvalidFractionalPagingParameters": "The fractional paging parameters are invalid.",
    "ErrorInvalidIdEmpty": "Id must be non-empty.",
    "ErrorInvalidIdMalformed": "Id is malformed.",
    "ErrorInvalidIdMalformedEwsLegacyIdFormat": "Id is malformed.",
    "ErrorInvalidIndexedPagingParameters": "Indexed paging parameters are invalid.",
    "ErrorInvalidItemForOperationCreateItem": "The item is not valid for this operation.",
    "ErrorInvalidItemForOperationCreateItemAttachment": "The item is not valid as an attachment.",
    "ErrorInvalidItemForOperationExpandDL": "Only a distribution list can be expanded.",
    "ErrorInvalidNameForNameResolution": "The name to be resolved is empty.",
    "ErrorInvalidOperation": "The operation is invalid.",
    "ErrorInvalidPagingMaxRows": "MaxEntriesReturned must be greater than zero.",
    "ErrorInvalidPercentCompleteValue": "The percentage of completion must lie between 0 and 100.",
    "ErrorInvalidPropertyAppend": "The property does not support appending.",
    "ErrorInvalidPropertyDelete": "The property does not support deletion.",
    "ErrorInvalidPropertyForExists": "The property does not support the Exists restriction.",
    "ErrorInvalidPropertyForOperation": "The property can not be used with this type of request.",
    "ErrorInvalidPropertyRequest": "The property was requested on an object that does not have it.",
    "ErrorInvalidPropertySet": "Set action is invalid for property.",
    "ErrorInvalidPropertyUpdateSentMessage": "This property can not be updated once a message has been sent.",
    "ErrorInvalidRecipients": "At least one recipient isn't valid.",
    "ErrorInvalidReferenceItem": "The reference item is invalid.",
    "ErrorInvalidRestriction": "The restriction is invalid.",
    "ErrorInvalidSendItemSaveSettings": "A saved item folder id can only be given when the item is to be saved.",
    "ErrorInvalidScheduledOofDuration": "The duration of the automatic replies is invalid.",
    "ErrorInvalidSmtpAddress": "The SMTP address is invalid.",
    "ErrorInvalidSyncStateData": "Synchronization state data is corrupt or otherwise invalid.",
    "ErrorInvalidUserOofSettings": "The settings of the automatic replies are invalid.",
    "ErrorInvalidValueForProperty": "The value is invalid for the property.",
    "ErrorIrresolvableConflict": (
        "The send or update operation could not be performed because the change key passed in the request does not "
        "match the current change key for the item."
    ),
    "ErrorItemNotFound": "The specified object was not found in the store.",
    "ErrorItemSave": "The item could not be saved.",
    "ErrorMailRecipientNotFound": "The mail recipient was not found in the directory.",
    "ErrorMessageDispositionRequired": "MessageDisposition attribute is required.",
    "ErrorMimeContentConversionFailed": "Failed to convert MIME content.",
    "ErrorMimeContentInvalid": "Mime content is invalid.",
    "ErrorMimeContentInvalidBase64String": "Mime content is not a valid Base64 string.",
    "ErrorMissingInformationEmailAddress": "An e-mail address is missing.",
    "ErrorMissingInformationReferenceItemId": "The ReferenceItemId is missing.",
    "ErrorMissingRecipients": "At least one recipient must be specified.",
    "ErrorMoveCopyFailed": "The move or copy operation failed.",
    "ErrorMoveDistinguishedFolder": "Distinguished folders cannot be moved.",
    "ErrorNameResolutionMultipleResults": "Multiple results were found.",
    "ErrorNameResolutionNoResults": "No results were found.",
    "ErrorNonExistentMailbox": "The SMTP address has no mailbox associated with it.",
    "ErrorNotDelegate": "The user is not a delegate of the mailbox.",
    "ErrorObjectTypeChanged": "The requested item class does not fit the kind of the item.",
    "ErrorOccurrenceCrossingBoundary": "Modified occurrence is crossing or overlapping adjacent occurrence.",
    "ErrorOccurrenceTimeSpanTooBig": "Duration of an occurrence must be shorter than how frequently it occurs.",
    "ErrorParentFolderNotFound": "The specified parent folder could not be found.",
    "ErrorRecurrenceHasNoOccurrence": "The recurrence has no occurrence.",
    "ErrorResolveNamesInvalidFolderType": "Names can be resolved in folders for contacts only.",
    "ErrorResolveNamesOnlyOneContactsFolderAllowed": "Names can be resolved in one folder only.",
    "ErrorSavedItemFolderNotFound": "The save folder was not found.",
    "ErrorSendAsDenied": (
        "The user account which was used to submit this request does not have the right to send mail on behalf of the "
        "specified sending account."
    ),
    "ErrorSendMeetingCancellationsRequired": "SendMeetingCancellations attribute is required.",
    "ErrorSendMeetingInvitationsOrCancellationsRequired": "SendMeetingInvitationsOrCancellations attribute is required.",
    "ErrorSendMeetingInvitationsRequired": "SendMeetingInvitations attribute is required.",
    "ErrorStaleObject": "The change key passed in the request does not match the current change key for the item.",
    "ErrorSyncFolderNotFound": "The folder to be synchronized could not be found.",
    "ErrorToFolderNotFound": "The target folder could not be found.",
    "ErrorUnsupportedMimeConversion": "Conversion of this item to or from MIME content is not supported.",
    "ErrorUnsupportedPathForQuery": "The requested property cannot be used in a restriction.",
    "ErrorUnsupportedPathForSortGroup": "The requested property cannot be used to sort or group.",
    "ErrorUpdatePropertyMismatch": "The property named in the path does not match the property given in the update.",
}


class ItemError(Exception):
    """Why one item of a request failed; `code` is a ResponseCode of the schema."""

    def __init__(self, code: str, text: str | None = None, values: dict[str, str] | None = None) -> None:
        self.code = code
        self.text = text if text is not None else TEXTS.get(code, "An internal server error occurred.")
        self.values = values or {}
        super().__init__(f"{code}: {self.text}")


class RequestFault(Exception):
    """Why a whole request failed; `values` go into the fault's detail (BackOffMilliseconds first, if any)."""

    def __init__(self, code: str, text: str | None = None, values: list[tuple[str, str]] | None = None) -> None:
        self.code = code
        self.text = text if text is not None else TEXTS.get(code, "The request is invalid.")
        self.values = values or []
        super().__init__(f"{code}: {self.text}")
