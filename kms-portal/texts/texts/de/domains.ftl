# Domains: Mails an Administratoren, und an Menschen, die keinen haben.
mail-domain-doubtful-subject = Der Eintrag von { $domain } fehlt
mail-domain-doubtful-body =
    Der TXT-Eintrag, der zeigt, dass { $domain } Ihrer Organisation gehört, wurde seit zwei Wochen nicht gefunden. Noch hat sich nichts geändert. Stellen Sie den Eintrag vor dem { $date } wieder her: Er steht auf der Seite „Domains“.
mail-domain-lapsed-subject = Der Nachweis für { $domain } ist erloschen
mail-domain-lapsed-body =
    Der TXT-Eintrag, der zeigt, dass { $domain } Ihrer Organisation gehört, fehlt seit der Zeit vor dem { $date }. Deshalb gilt der Nachweis nicht mehr. Administratoren und andere behalten ihre Konten, aber über diese Domain kommt niemand mehr dazu. Um sie wieder nachzuweisen, fügen Sie die Domain auf der Seite „Domains“ hinzu: Sie erhalten einen neuen Eintrag.
mail-domain-contested-subject = Eine andere Organisation hat { $domain } nachgewiesen
mail-domain-contested-body =
    Eine andere Organisation hat einen Eintrag veröffentlicht, der zeigt, dass { $domain } ihr gehört. Wenn die Domain Ihnen gehört, sorgen Sie dafür, dass Ihr Eintrag zu finden ist: Er steht auf der Seite „Domains“. Wird er bis zum { $date } nicht gefunden, geht die Domain an die andere Organisation. Ihre Administratoren und Ihre Leute behalten ihre Konten.
mail-domain-moved-subject = { $domain } gehört jetzt einer anderen Organisation
mail-domain-moved-body =
    Eine andere Organisation hat { $domain } am { $date } nachgewiesen, und Ihr Eintrag wurde nicht gefunden. Ihre Administratoren und Ihre Leute behalten ihre Konten, aber über diese Domain kommt niemand mehr zu Ihrer Organisation.
mail-domain-taken-over-subject = Die Konten von { $domain } haben einen Administrator
mail-domain-taken-over-body =
    { $administrator } hat nachgewiesen, dass { $domain } Ihrer Organisation gehört, und verwaltet ab jetzt die Konten, auch Ihres. Ihr Konto bleibt, wie Sie es eingestellt haben: Name, Passwort, Sprache und Geräte. Administratoren können Ihnen Lizenzen geben und sehen Ihren Namen und Ihre Adresse.
