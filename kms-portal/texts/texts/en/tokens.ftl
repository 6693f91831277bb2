# Tokens for programs.
tab-tokens = Tokens
tokens-about = A token lets a program do over the API (/api/v1) what its roles allow, and never more than you may.
tokens-made = The token, shown this once. Copy it now:
tokens-none = There are none.
tokens-ends = Ends
tokens-used = Last used
tokens-revoke = Revoke
tokens-revoke-one = Revoke { $name }
tokens-new = New token
tokens-name = What it is for
tokens-days = Ends after so many days
tokens-make = Make a token
tokens-name-fault = A name has 1 to 200 characters.
done-token-revoked = The token was revoked. It is of no use any more.
