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
