"""The operations of the sandbox: each takes a call and its request element and returns the response element.

Requests come schema-checked.  An operation not in OPERATIONS does not exist here.
"""

from __future__ import annotations

from collections.abc import Callable

from ..clocks import context
from ..mapi import told_in
from ..markup import Element
from . import attaching
from . import availability
from . import creating
from . import delegating
from . import directory
from . import folders
from . import moving
from . import oof
from . import people
from . import personas
from . import reading
from . import sync
from . import updating
from .call import Call as Call

Operation = Callable[[Call, Element], Element]

OPERATIONS: dict[str, Operation] = {
    "AddDelegate": delegating.add_delegate,
    "ConvertId": directory.convert_id,
    "CopyFolder": folders.copy_folder,
    "CopyItem": moving.copy_item,
    "CreateAttachment": attaching.create_attachment,
    "CreateFolder": folders.create_folder,
    "CreateItem": creating.create_item,
    "DeleteAttachment": attaching.delete_attachment,
    "DeleteFolder": folders.delete_folder,
    "DeleteItem": moving.delete_item,
    "EmptyFolder": folders.empty_folder,
    "ExpandDL": people.expand_dl,
    "FindFolder": folders.find_folder,
    "FindItem": reading.find_item,
    "FindPeople": personas.find_people,
    "GetAttachment": attaching.get_attachment,
    "GetDelegate": delegating.get_delegate,
    "GetFolder": folders.get_folder,
    "GetItem": reading.get_item,
    "GetPersona": personas.get_persona,
    "GetRoomLists": people.get_room_lists,
    "GetRooms": people.get_rooms,
    "GetServerTimeZones": directory.get_server_time_zones,
    "GetUserAvailabilityRequest": availability.get_user_availability,
    "GetUserConfiguration": directory.get_user_configuration,
    "GetUserOofSettingsRequest": oof.get_user_oof_settings,
    "GetUserPhoto": people.get_user_photo,
    "MarkAllItemsAsRead": updating.mark_all_items_as_read,
    "MarkAsJunk": moving.mark_as_junk,
    "MoveFolder": folders.move_folder,
    "MoveItem": moving.move_item,
    "RemoveDelegate": delegating.remove_delegate,
    "ResolveNames": people.resolve_names,
    "SendItem": creating.send_item,
    "SetUserOofSettingsRequest": oof.set_user_oof_settings,
    "SyncFolderHierarchy": sync.sync_folder_hierarchy,
    "SyncFolderItems": sync.sync_folder_items,
    "UpdateDelegate": delegating.update_delegate,
    "UpdateFolder": folders.update_folder,
    "UpdateItem": updating.update_item,
}


def perform(operation: Operation, call: Call, request: Element) -> Element:
    """Carry out an operation, whose answer tells times by the clock of the call's TimeZoneContext."""
    with told_in(context(call.time_zone).offset):
        return operation(call, request)
