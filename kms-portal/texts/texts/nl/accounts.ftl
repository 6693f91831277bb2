# E-mails over accounts.
mail-register-subject = Bevestig uw adres
mail-register-body =
    Iemand wil { $address } registreren voor een account. Was u dat, open dan binnen een dag deze link en kies een wachtwoord:

    { $link }

    Was u het niet, doe dan niets. Zonder deze link komt er geen account.
mail-registered-subject = U hebt al een account
mail-registered-body =
    Iemand wil { $address } registreren, maar dit adres heeft al een persoonlijk account. Was u dat en bent u het wachtwoord vergeten, open dan binnen een uur deze link en kies een ander:

    { $link }

    Was u het niet, doe dan niets. Uw wachtwoord blijft zoals het is.
mail-forgotten-subject = Kies een nieuw wachtwoord
mail-forgotten-body =
    Iemand heeft een nieuw wachtwoord gevraagd voor het persoonlijke account van { $address }. U meldt zich met dit adres aan. Open binnen een uur deze link en kies een nieuw wachtwoord:

    { $link }

    Was u het niet, doe dan niets. Uw wachtwoord blijft zoals het is.
mail-forgotten-work-subject = Kies een nieuw wachtwoord voor { $organisation }
mail-forgotten-work-body =
    Iemand heeft een nieuw wachtwoord gevraagd voor het werkaccount van { $address } bij { $organisation }. U meldt zich met dit adres aan. Open binnen een uur deze link en kies een nieuw wachtwoord:

    { $link }

    Was u het niet, doe dan niets. Uw wachtwoord blijft zoals het is.
mail-no-account-subject = Geen account heeft dit adres
mail-no-account-body =
    Iemand heeft een nieuw wachtwoord gevraagd voor { $address }, maar geen account heeft dit adres. Misschien hebt u zich met een ander adres geregistreerd. Wilt u een account met dit adres, open dan binnen een dag deze link:

    { $link }

    Was u het niet, doe dan niets.
mail-invite-subject = { $organisation } nodigt u uit
mail-invite-body =
    { $organisation } heeft een werkaccount gemaakt voor { $address }. Open binnen 14 dagen deze link en kies een wachtwoord:

    { $link }

    Verwacht u dit niet, doe dan niets, of vraag het de beheerders van { $organisation }.
mail-reset-subject = Kies een nieuw wachtwoord voor { $organisation }
mail-reset-body =
    Een beheerder van { $organisation } vraagt u een nieuw wachtwoord te kiezen voor { $address }. Open binnen een dag deze link:

    { $link }

    Tot dan werkt uw oude wachtwoord.
mail-address-subject = Bevestig uw nieuwe adres
mail-address-body =
    Iemand wil voortaan { $address } gebruiken voor een account. Was u dat, open dan binnen een dag deze link:

    { $link }

    Was u het niet, doe dan niets.
mail-address-changed-subject = Uw adres is gewijzigd
mail-address-changed-body =
    Uw account heeft voortaan een ander adres: { $address }. Daarmee meldt u zich aan. Was u dit niet, meld het dan meteen bij de leverancier.
mail-password-set-subject = Uw wachtwoord is ingesteld
mail-password-set-body =
    Het wachtwoord van { $address } is zojuist ingesteld, en alle andere sessies zijn beëindigd. Was u dit niet, vraag dan meteen een nieuw wachtwoord aan op de aanmeldpagina.
mail-deactivated-subject = Uw account is verwijderd
mail-deactivated-body =
    Het account van { $address } is op uw verzoek verwijderd. Uw gegevens worden 30 dagen bewaard. Wilt u ze binnen die tijd terug, vraag het dan uw beheerders, of de leverancier als het een persoonlijk account was.
# Pagina's van accounts.
accounts-address = E-mailadres
accounts-password = Wachtwoord
accounts-personal = Persoonlijk account
accounts-work = Werkaccount bij { $organisation }
sign-in-again = Toon nogmaals dat u { $address } bent voordat u verdergaat. Daarna hoeft het 15 minuten lang niet meer.
sign-in-register = Registreren voor een persoonlijk account
sign-in-forgotten = Naam of wachtwoord vergeten?
sign-in-password-set = Uw wachtwoord is ingesteld. Meld u ermee aan.
sign-in-registered = Uw account is gemaakt. Meld u aan.
sign-in-deleted = Uw account is verwijderd.
sign-in-signed-out = U bent afgemeld.
choose-title = Welk account?
choose-about = Dit adres en dit wachtwoord horen bij verschillende accounts.
accounts-name = Naam
accounts-location = Land waar u het gebruikt
accounts-location-hint = Twee letters, zoals NL, DE of FR. Sommige diensten worden in sommige landen niet aangeboden.
accounts-new-password = Nieuw wachtwoord
accounts-password-hint = Ten minste { $least } tekens. Een zin is beter dan een kort woord met cijfers.
accounts-mail-me = De e-mail sturen
register-title = Registreren voor een persoonlijk account
register-about = Typ uw e-mailadres. U krijgt een e-mail met een link om een wachtwoord te kiezen. Vraag voor een werkaccount de beheerders van uw organisatie. Voor volumesleutels is geen account nodig.
forgotten-title = Naam of wachtwoord vergeten
forgotten-about = U meldt zich aan met een e-mailadres. Typ het, en u krijgt een e-mail voor elk account met dit adres, met een link om een nieuw wachtwoord te kiezen. Heeft geen account het, dan zegt de e-mail dat. In een organisatie kan een beheerder uw adres opzoeken.
mailed-title = Kijk in uw mail
mailed-about = Er is een e-mail onderweg naar { $address }. Open de link erin. Komt er niets, kijk dan bij de ongewenste mail, of probeer het over een uur opnieuw.
link-register-title = Maak uw account
link-register-about = Dit maakt een persoonlijk account voor { $address }.
link-register-button = Het account maken
link-invite-title = Kies een wachtwoord
link-invite-about = Hiermee meldt u zich aan als { $address }.
link-invite-button = Het wachtwoord instellen
link-reset-title = Kies een nieuw wachtwoord
link-reset-about = Het is voor { $address }. Alle sessies van dit account eindigen.
link-reset-button = Het wachtwoord instellen
link-address-title = Bevestig uw nieuwe adres
link-address-about = Voortaan meldt u zich aan als { $address }.
link-address-button = Dit adres gebruiken
link-ended-title = Deze link werkt niet meer
link-ended = Hij is al gebruikt, of zijn tijd is om, of hij ging naar een ander adres. Vraag een andere aan.
link-ended-forgotten = Een andere link sturen
fault-busy = Van waar u bent is te veel geprobeerd. Probeer het later opnieuw.
fault-wrong = Adres en wachtwoord passen niet bij elkaar, of er waren te veel pogingen. Controleer beide en probeer het over een paar minuten opnieuw, of kies een nieuw wachtwoord.
fault-password-short = Dat is te kort: een wachtwoord heeft ten minste { $least } tekens.
fault-password-long = Dat is te lang.
fault-password-guessable = Dat is een van de eerste die anderen zouden proberen. Kies een ander wachtwoord.
fault-no-name = Typ een naam van ten hoogste 200 tekens.
fault-no-address = Dat is geen e-mailadres.
fault-address-taken = Een ander account heeft dit adres. Meld u daar aan, of kies een ander adres.
fault-last-general = U bent de laatste algemene beheerder van uw organisatie die zich kan aanmelden. Maak eerst iemand anders algemene beheerder.
account-done-name = Opgeslagen.
account-done-address = Uw adres is gewijzigd.
account-done-sessions = Alle andere sessies zijn beëindigd.
account-session-seen = { $ago } geleden
account-other = Is dit niet het account dat u wilt, meld u dan af en met het andere aan.
account-name-title = Naam en taal
account-language = Taal van e-mails en pagina's
account-old-password = Wachtwoord tot nu toe
account-change-password = Het wachtwoord wijzigen
account-address-of-work = Het adres van een werkaccount wijzigen de beheerders van uw organisatie.
account-address-about = U krijgt een e-mail op het nieuwe adres. Er verandert niets voordat u de link erin opent. Het oude adres krijgt bericht.
account-new-address = Nieuw e-mailadres
account-sessions-title = Waar u bent aangemeld
account-session-source = Vanaf
account-session-since = Sinds
account-session-last = Laatst gezien
account-session-this = deze sessie
account-end-sessions = Alle andere sessies beëindigen
account-data-title = Uw gegevens
account-data = Downloaden wat van u wordt bewaard
account-delete = Het account verwijderen
account-delete-about = Dit verwijdert het account van { $address }. Alle sessies eindigen, en uw apparaten krijgen geen nieuwe licenties.
account-delete-work = Uw licenties gaan meteen terug naar uw organisatie. Uw gegevens worden 30 dagen bewaard. In die tijd kunnen uw beheerders het account herstellen, zonder licenties en wachtwoord.
account-delete-personal = Uw gegevens worden 30 dagen bewaard. In die tijd kan de leverancier het account herstellen, zonder wachtwoord.
mail-share-subject = { $who } deelt { $what } met u
mail-share-body =
    { $who } wil { $what } met u delen. Open binnen 14 dagen deze link, en meld u aan met een persoonlijk account of registreer u:

    { $link }

    Verwacht u dit niet, doe dan niets.
fault-no-key = Dat is geen productsleutel. Zoek naar een verkeerd getypte letter of een verkeerd cijfer.
fault-volume-key = Die sleutel is voor computers of hosts. Typ hem daar; er is geen account voor nodig.
fault-key-unknown = Met deze sleutel begint geen abonnement. Vergelijk hem met wat u is gestuurd.
fault-key-blocked = De leverancier heeft deze sleutel geblokkeerd. Vraag waar u hem hebt gekocht.
fault-key-redeemed = Iemand anders heeft deze sleutel ingewisseld. Vraag waar u hem hebt gekocht.
fault-no-seat = Er is geen plaats meer vrij, of dit wordt in uw land niet aangeboden. Vraag degene die het met u deelt.
fault-has-it = U hebt dit al.
fault-personal = Dit is voor persoonlijke accounts. Meld u met zo'n account aan, of registreer u.
own-title = Wat u hebt gekocht, en wat met u wordt gedeeld
own-none = Nog niets. Met een sleutel die u hebt gekocht begint een abonnement.
own-ends = Betaald tot { $day }
own-seats = { $taken } van { $seats } plaatsen bezet
own-yours = U hebt een plaats.
own-shared = Iemand deelt dit met u.
own-people = Wie een plaats heeft
own-leave = Mijn plaats teruggeven
own-remove = De plaats van { $who } terugnemen
own-share-with = E-mailadres van degene met wie u het deelt
own-share = Delen
own-key-title = Een sleutel inwisselen
own-key = Productsleutel
own-key-hint = 25 letters en cijfers in groepen van vijf. Een sleutel voor computers of hosts wordt daar getypt, niet hier.
own-redeem = Inwisselen
own-done-redeemed = Het abonnement is begonnen.
own-done-again = U hebt deze sleutel al eerder ingewisseld. Dit kwam ervan.
own-done-ended = De plaats is vrij.
shared-title = { $who } deelt { $what } met u
shared-about = Met het account { $address } krijgt u er een plaats van.
shared-accept = Aannemen
fault-no-location = Typ uw land als twee letters, zoals NL, DE of FR.
