"""What a sentence asks for: "Send a text to +15555551234 saying Hello!"

A grammar, not a model: it understands the forms that it knows, from their first word to their last, and asks about every other.
`understand` is the way in; `docs/decisions/0010-natural-text.md` has the reasons.
"""
