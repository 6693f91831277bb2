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
sign-in-wrong = Adres en wachtwoord passen niet bij elkaar, of er waren te veel pogingen. Controleer beide en probeer het over een paar minuten opnieuw, of kies een nieuw wachtwoord.
sign-in-busy = Van waar u bent kwamen te veel verkeerde wachtwoorden. Probeer het later opnieuw.
sign-in-register = Registreren voor een persoonlijk account
sign-in-forgotten = Naam of wachtwoord vergeten?
sign-in-password-set = Uw wachtwoord is ingesteld. Meld u ermee aan.
sign-in-registered = Uw account is gemaakt. Meld u aan.
sign-in-deleted = Uw account is verwijderd.
sign-in-signed-out = U bent afgemeld.
choose-title = Welk account?
choose-about = Dit adres en dit wachtwoord horen bij verschillende accounts.
