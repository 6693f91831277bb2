# Domains: mails to administrators, and to people without one.
mail-domain-doubtful-subject = The record of { $domain } is missing
mail-domain-doubtful-body =
    The TXT record that shows that { $domain } belongs to your organisation has not been found for two weeks. Nothing has changed yet. Put the record back before { $date }: the page "Domains" shows it.
mail-domain-lapsed-subject = The proof of { $domain } has lapsed
mail-domain-lapsed-body =
    The TXT record that shows that { $domain } belongs to your organisation has been missing since before { $date }, so the proof counts no more. Administrators and people keep their accounts, but nobody can join by this domain. To prove it again, add the domain on the page "Domains": you get a new record.
mail-domain-contested-subject = Another organisation has proved { $domain }
mail-domain-contested-body =
    Another organisation has published a record that shows that { $domain } is theirs. If it is yours, make sure that your record can be found: the page "Domains" shows it. If it is not found by { $date }, the domain moves to the other organisation. Your administrators and people keep their accounts.
mail-domain-moved-subject = { $domain } belongs to another organisation now
mail-domain-moved-body =
    Another organisation has proved { $domain } on { $date }, and your record was not found. Your administrators and people keep their accounts, but nobody can join your organisation by this domain.
mail-domain-taken-over-subject = The accounts at { $domain } have an administrator
mail-domain-taken-over-body =
    { $administrator } has proved that { $domain } belongs to your organisation and administrates its accounts from now on, with yours. Your account stays as you have set it: name, password, language and devices. Administrators can give you licenses, and they see your name and address.
# Domains: pages.
tab-domains = Domains
domains-about = The organisation shows by a TXT record in DNS that a domain is its own. The record has to stay: it is looked at every week.
domains-none = The organisation has no domains yet.
domains-add = Add a domain
domains-domain = Domain
domains-scope = What it is for
scope-name = This name alone
scope-tree = This name and all below it
domains-look = Look now for { $domain }
domains-remove = Remove { $domain }
domains-looked = Last looked at { $at }.
domains-next-look = Looked at again at { $at }.
domains-waits = Publish this record. It is looked for until { $date }.
domains-ended = The record was not found in time. Add the domain again: you get another record.
domains-held = Proved on { $date }.
domains-doubtful = The record is missing. Put it back before { $date }, or the proof lapses.
domains-lapsed = The proof has lapsed. Add the domain again: you get another record.
domains-contested = Another organisation holds this domain. It has until { $date } to prove it again; if it does not, the domain is yours.
domains-moves = The other organisation has not proved the domain again. It is yours at the next look that finds your record.
domains-to-staff = Two organisations have proved this domain. The vendor decides; ask there.
done-domain-begun = The domain was added. Publish its record.
done-domain-removed = The domain was removed.
record-name = Name
record-type = Type
record-value = Value
looked-just-now = This was looked at a moment ago. Wait ten seconds.
looked-unanswered = No name server of the domain has answered, so nothing has changed: { $faults }
looked-other = There are records at this name, but not the right one: { $texts }
looked-twice = The record is at { $name }: your provider adds the domain by itself. Enter the name without the domain.
looked-missing = The record was not found yet. Name servers may take some minutes; it is looked for again by itself.
looked-found = The record of { $domain } was found.
looked-gone = There is nothing to look for any more.
domain-refused-no-domain = This is no domain.
domain-refused-ending = Everybody registers domains below this one, so it belongs to nobody alone.
domain-refused-provider = A provider gives names below this domain to everybody. Add the name below it that is yours.
domain-refused-public-mail = Everybody can have a mailbox at this domain, so it belongs to nobody alone.
domain-refused-no-mailbox = You need a mailbox at this domain that you have confirmed by a link.
domain-refused-held = An organisation holds this domain. Ask its administrators for an account.
domain-refused-has-licenses = This account has personal licenses. Register another one for work.
domain-refused-too-many = The organisation has 100 domains. Remove one, or ask the vendor.
domain-refused-taken = Another account there has this address.
become-title = Become administrator
become-join = Your account is personal. If you use it for work, it can be together with the other accounts at { $domain }, and you can become their administrator by proving that the domain belongs to your organisation.
become-join-stays = Your name, password, language and devices stay as they are. An administrator of { $domain } will see your name and address.
become-join-button = Use my account for work at { $domain }
become-prove = The accounts at { $domain } have no administrator. Whoever first proves that the domain belongs to your organisation becomes their administrator.
become-record-button = Show me the record to publish
become-publish = Publish this record in the DNS of { $domain }, or hand it to whoever manages it.
become-publish-hint = When it is there, look now. You can also come back later: it is looked for by itself for seven days.
become-ask = Your organisation has administrators already. Ask one of them.
become-people = { $count ->
    [one] You administrate { $count } account, which is your own.
   *[other] You administrate { $count } accounts, with your own. Everybody else was told by mail.
}
become-who = Who is here
become-buy = Buy licenses
become-buy-first = { $count ->
    [one] Buy a license for { $count } person. Until something is bought, you see people and manage nothing.
   *[other] Buy licenses for { $count } people. Until something is bought, you see people and manage nothing.
}
become-bought = Give what you have bought to everybody who is here.
become-free = Free seats: { $count }
become-buy-offer = Buy { $offer }
become-buy-ask = Ask the vendor to buy it.
become-license-button = Give everybody { $offer }
become-licensed = Have a license now: { $served }. Without one: { $refused }; the page "Licenses" says why, such as a missing location.
