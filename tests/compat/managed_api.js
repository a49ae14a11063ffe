// One walk through a mailbox with ews-javascript-api, a port of Microsoft's EWS Managed API.
// node managed_api.js URL: prints one JSON object, step name to result.
const ews = require('ews-javascript-api');

const service = new ews.ExchangeService(ews.ExchangeVersion.Exchange2013);
service.Credentials = new ews.WebCredentials('alice@example.test', 'secret');
service.Url = new ews.Uri(process.argv[2]);
const { Inbox, Drafts, JunkEmail, MsgFolderRoot, Root } = ews.WellKnownFolderName;
const names = (found) => found.Items.map((item) => item.Subject);

const steps = {
    async bind() {
        const folder = await ews.Folder.Bind(service, Inbox);
        return [folder.DisplayName, folder.TotalCount, folder.UnreadCount];
    },
    async folders() {
        const view = new ews.FolderView(100);
        view.Traversal = ews.FolderTraversal.Deep;
        return (await service.FindFolders(MsgFolderRoot, view)).Folders.map((folder) => folder.DisplayName);
    },
    async page() {
        const found = await service.FindItems(Inbox, new ews.ItemView(5));
        return [found.TotalCount, found.MoreAvailable, found.Items.length];
    },
    async search() {
        const filter = new ews.SearchFilter.ContainsSubstring(ews.ItemSchema.Subject, 'Zeichnung');
        return names(await service.FindItems(Inbox, filter, new ews.ItemView(5)));
    },
    async load() {
        const filter = new ews.SearchFilter.ContainsSubstring(ews.ItemSchema.Subject, '4711');
        const [item] = (await service.FindItems(Inbox, filter, new ews.ItemView(1))).Items;
        const wanted = new ews.PropertySet(ews.BasePropertySet.FirstClassProperties, [ews.ItemSchema.MimeContent]);
        const mail = await ews.EmailMessage.Bind(service, item.Id, wanted);
        return [mail.Subject, mail.From.Address, mail.Body.Text.includes('<b>brass</b>'), mail.MimeContent.Content.length > 0];
    },
    async send() {
        const mail = new ews.EmailMessage(service);
        mail.Subject = 'from JavaScript';
        mail.Body = new ews.MessageBody(ews.BodyType.Text, 'hi');
        mail.ToRecipients.Add('bob@example.test');
        await mail.SendAndSaveCopy();
    },
    async change() {
        const mail = new ews.EmailMessage(service);
        mail.Subject = 'draft';
        await mail.Save(Drafts);
        mail.Subject = 'changed';
        await mail.Update(ews.ConflictResolutionMode.AutoResolve);
        const copy = await mail.Copy(Inbox);
        await mail.Delete(ews.DeleteMode.HardDelete);
        const found = await ews.EmailMessage.Bind(service, copy.Id, ews.PropertySet.FirstClassProperties);
        return found.Subject;
    },
    async attachment() {
        const mail = new ews.EmailMessage(service);
        mail.Subject = 'with a file';
        mail.Attachments.AddFileAttachment('a.txt', Buffer.from('hello').toString('base64'));
        await mail.Save(Drafts);
        const wanted = new ews.PropertySet(ews.BasePropertySet.IdOnly, [ews.ItemSchema.Attachments]);
        const [file] = (await ews.EmailMessage.Bind(service, mail.Id, wanted)).Attachments.Items;
        await file.Load();
        return [file.Name, Buffer.from(file.Base64Content, 'base64').toString()];
    },
    async extended() {
        const flag = new ews.ExtendedPropertyDefinition(0x1090, ews.MapiPropertyType.Integer);
        const mail = new ews.EmailMessage(service);
        mail.SetExtendedProperty(flag, 2);
        await mail.Save(Drafts);
        const read = await ews.EmailMessage.Bind(service, mail.Id, new ews.PropertySet(ews.BasePropertySet.IdOnly, [flag]));
        const value = { outValue: 0 };
        return [read.TryGetProperty(flag, value), value.outValue];
    },
    async folder() {
        const folder = new ews.Folder(service);
        folder.DisplayName = 'Shed';
        await folder.Save(Inbox);
        folder.DisplayName = 'Shed 2';
        await folder.Update();
        const found = await ews.Folder.Bind(service, folder.Id);
        await folder.Delete(ews.DeleteMode.HardDelete);
        return found.DisplayName;
    },
    async items_in_step() {
        const scope = ews.SyncFolderItemsScope.NormalItems;
        const changes = await service.SyncFolderItems(new ews.FolderId(Inbox), ews.PropertySet.IdOnly, null, 10, scope, null);
        return [changes.Count, changes.MoreChangesAvailable, changes.SyncState.length > 0];
    },
    async folders_in_step() {
        const changes = await service.SyncFolderHierarchy(new ews.FolderId(Root), ews.PropertySet.FirstClassProperties, null);
        return [changes.Count > 20, changes.MoreChangesAvailable];
    },
    async empty() {
        await (await ews.Folder.Bind(service, JunkEmail)).Empty(ews.DeleteMode.HardDelete, false);
        return (await ews.Folder.Bind(service, JunkEmail)).TotalCount;
    },
    async refused() {
        try {
            return await ews.Folder.Bind(service, new ews.FolderId('AAAA'));
        } catch (error) {
            return error.message;
        }
    },
};

(async () => {
    const results = {};
    for (const [name, step] of Object.entries(steps)) {
        results[name] = (await step()) ?? null;
    }
    console.log(JSON.stringify(results));
})().catch((error) => {
    console.error(error);
    process.exit(1);
});
