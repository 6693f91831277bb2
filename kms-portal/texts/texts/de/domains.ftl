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
# Domains: pages.
tab-domains = Domains
domains-about = Die Organisation zeigt durch einen TXT-Eintrag im DNS, dass eine Domain ihr gehört. Der Eintrag muss bleiben: Er wird jede Woche geprüft.
domains-none = Die Organisation hat noch keine Domains.
domains-add = Domain hinzufügen
domains-domain = Domain
domains-scope = Wofür sie gilt
scope-name = Nur dieser Name
scope-tree = Dieser Name und alle darunter
domains-look = { $domain } jetzt prüfen
domains-remove = { $domain } entfernen
domains-looked = Zuletzt geprüft um { $at }.
domains-next-look = Nächste Prüfung um { $at }.
domains-waits = Veröffentlichen Sie diesen Eintrag. Er wird bis { $date } gesucht.
domains-ended = Der Eintrag wurde nicht rechtzeitig gefunden. Fügen Sie die Domain erneut hinzu: Sie erhalten einen anderen Eintrag.
domains-held = Nachgewiesen am { $date }.
domains-doubtful = Der Eintrag fehlt. Stellen Sie ihn vor dem { $date } wieder her, sonst erlischt der Nachweis.
domains-lapsed = Der Nachweis ist erloschen. Fügen Sie die Domain erneut hinzu: Sie erhalten einen anderen Eintrag.
domains-contested = Eine andere Organisation hat diese Domain. Sie kann sie bis { $date } erneut nachweisen; sonst gehört sie Ihnen.
domains-moves = Die andere Organisation hat die Domain nicht erneut nachgewiesen. Sobald Ihr Eintrag wieder gefunden wird, gehört sie Ihnen.
domains-to-staff = Zwei Organisationen haben diese Domain nachgewiesen. Der Hersteller entscheidet; fragen Sie dort.
done-domain-begun = Die Domain wurde hinzugefügt. Veröffentlichen Sie ihren Eintrag.
done-domain-removed = Die Domain wurde entfernt.
record-name = Name
record-type = Typ
record-value = Wert
looked-just-now = Das wurde gerade eben geprüft. Warten Sie zehn Sekunden.
looked-unanswered = Kein Nameserver der Domain hat geantwortet, deshalb hat sich nichts geändert: { $faults }
looked-other = Unter diesem Namen stehen Einträge, aber nicht der richtige: { $texts }
looked-twice = Der Eintrag steht bei { $name }: Ihr Anbieter hängt die Domain selbst an. Geben Sie den Namen ohne die Domain ein.
looked-missing = Der Eintrag wurde noch nicht gefunden. Bei Nameservern kann es einige Minuten dauern; es wird von selbst erneut geprüft.
looked-found = Der Eintrag von { $domain } wurde gefunden.
looked-gone = Es gibt nichts mehr zu prüfen.
domain-refused-no-domain = Das ist keine Domain.
domain-refused-ending = Darunter registriert jeder Domains, deshalb gehört sie niemandem allein.
domain-refused-provider = Ein Anbieter vergibt Namen unter dieser Domain an alle. Fügen Sie den Namen darunter hinzu, der Ihnen gehört.
domain-refused-public-mail = Jeder kann bei dieser Domain ein Postfach haben, deshalb gehört sie niemandem allein.
domain-refused-no-mailbox = Sie brauchen ein Postfach bei dieser Domain, das Sie durch einen Link bestätigt haben.
domain-refused-held = Eine Organisation hat diese Domain. Bitten Sie deren Administratoren um ein Konto.
domain-refused-has-licenses = Dieses Konto hat persönliche Lizenzen. Registrieren Sie ein anderes für die Arbeit.
domain-refused-too-many = Die Organisation hat 100 Domains. Entfernen Sie eine, oder fragen Sie den Hersteller.
domain-refused-taken = Ein anderes Konto dort hat diese Adresse.
become-title = Administrator werden
become-join = Ihr Konto ist persönlich. Wenn Sie es für die Arbeit nutzen, kann es zu den anderen Konten von { $domain } gehören. Sie werden deren Administrator, wenn Sie nachweisen, dass die Domain Ihrer Organisation gehört.
become-join-stays = Ihr Name, Ihr Passwort, Ihre Sprache und Ihre Geräte bleiben, wie sie sind. Ein Administrator von { $domain } wird Ihren Namen und Ihre Adresse sehen.
become-join-button = Mein Konto für die Arbeit bei { $domain } nutzen
become-prove = Die Konten von { $domain } haben keinen Administrator. Wer zuerst nachweist, dass die Domain Ihrer Organisation gehört, wird ihr Administrator.
become-record-button = Eintrag zeigen
become-publish = Veröffentlichen Sie diesen Eintrag im DNS von { $domain }, oder geben Sie ihn an die Person, die es verwaltet.
become-publish-hint = Prüfen Sie, sobald er dort steht. Sie können auch später wiederkommen: Er wird sieben Tage lang von selbst gesucht.
become-ask = Ihre Organisation hat schon Administratoren. Fragen Sie einen von ihnen.
become-people = { $count ->
    [one] Sie verwalten { $count } Konto: Ihr eigenes.
   *[other] Sie verwalten { $count } Konten, mit Ihrem eigenen. Alle anderen haben eine Mail erhalten.
}
become-who = Wer hier ist
become-buy = Lizenzen kaufen
become-buy-first = { $count ->
    [one] Kaufen Sie eine Lizenz für { $count } Person. Solange nichts gekauft ist, sehen Sie die Leute und verwalten nichts.
   *[other] Kaufen Sie Lizenzen für { $count } Personen. Solange nichts gekauft ist, sehen Sie die Leute und verwalten nichts.
}
become-bought = Geben Sie allen, die hier sind, was Sie gekauft haben.
become-free = Freie Plätze: { $count }
become-buy-offer = { $offer } kaufen
become-buy-ask = Fragen Sie den Hersteller danach.
become-license-button = Allen { $offer } geben
become-licensed = Haben jetzt eine Lizenz: { $served }. Ohne: { $refused }; die Seite „Lizenzen“ sagt warum, etwa ein fehlender Standort.
