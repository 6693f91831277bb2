# Tokens for programs.
tab-tokens = Tokens
tokens-about = Mit einem Token tut ein Programm über die API (/api/v1), was dessen Rollen erlauben, und nie mehr, als Sie dürfen.
tokens-made = Das Token wird nur dieses eine Mal gezeigt. Kopieren Sie es jetzt:
tokens-none = Es gibt keine.
tokens-ends = Endet
tokens-used = Zuletzt benutzt
tokens-revoke = Widerrufen
tokens-revoke-one = { $name } widerrufen
tokens-new = Neues Token
tokens-name = Wofür es ist
tokens-days = Endet nach so vielen Tagen
tokens-make = Token erstellen
tokens-name-fault = Ein Name hat 1 bis 200 Zeichen.
done-token-revoked = Das Token ist widerrufen und nicht mehr zu gebrauchen.
