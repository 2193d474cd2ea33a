"""Markdown as a person reads it in a text message, where nothing renders it."""

import re
from collections.abc import Iterable
from textwrap import indent

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

# Asterisks between digits, and what follows a bare URL's scheme, up to where Markdown around it could go on.
_LITERAL = re.compile(
    r"(?<=\d)\*+(?=\d)"
    r"|(?:(?<=http)|(?<=https))://(?:[^\s<>()\[\]*`~\\&]|&(?!\w+;))*(?<![_.,:;!?'\"])"
)


def plain_text(markdown: str) -> str:
    """The text of a CommonMark document (with tables and strikethrough), its blocks one blank line apart.

    ``[label](url)`` becomes ``label (url)``, a bullet ``- ``, a table row ``cell | cell``; numbers, code and HTML stay as
    they are. So does what CommonMark takes for emphasis and people do not: ``5*3*2``, the dial code ``*123*4#`` and the
    underscores of ``https://example.com/_a_/b``.
    """
    tokens = _PARSER.parse(markdown)
    for token in tokens:
        if token.type == "inline":
            # Emphasis nests without bound: as text it needs no tree, whose making would recurse as deep.
            token.content, token.children = _inline(token.children or []), None
    return _blocks(SyntaxTreeNode(tokens).children)


def _blocks(nodes: Iterable[SyntaxTreeNode], *, gap: str = "\n\n") -> str:
    # A thematic break and an empty heading have no text: what remains of them is the gap.
    return gap.join(text for text in map(_block, nodes) if text)


def _block(node: SyntaxTreeNode) -> str:
    match node.type:
        case "bullet_list" | "ordered_list":
            return _list(node)
        case "table":
            rows = (row for section in node.children for row in section.children)
            return "\n".join(" | ".join(_blocks(cell.children) for cell in row.children) for row in rows)
        case "inline":
            return node.content
        case "fence" | "code_block" | "html_block":
            return node.content.removesuffix("\n")
        case _:
            return _blocks(node.children)


def _list(node: SyntaxTreeNode) -> str:
    """The items as the source spaces and numbers them: a person may be asked to answer with the number.

    A number that repeats the one before it counts on, as in ``1. 1. 1.``.
    """
    loose = any(block.type == "paragraph" and not block.hidden for item in node.children for block in item.children)
    gap = "\n\n" if loose else "\n"
    items: list[str] = []
    written, number = "", 0
    for item in node.children:
        marker = "-"
        if node.type == "ordered_list":
            number = number + 1 if item.info == written else int(item.info)
            written, marker = item.info, f"{number}{item.markup}"
        text = indent(_blocks(item.children, gap=gap), "  ").removeprefix("  ")
        items.append(f"{marker} {text}".rstrip())
    return gap.join(items)


def _inline(tokens: Iterable[Token]) -> str:
    pieces: list[str] = []
    url, label_start = "", 0
    for token in tokens:
        match token.type:
            case "link_open":  # never inside another link
                url, label_start = str(token.attrs["href"]), len(pieces)
            case "link_close":
                pieces[label_start:] = [_link("".join(pieces[label_start:]), url)]
            case "image":
                pieces.append(_link(_inline(token.children or []), str(token.attrs["src"])))
            case "softbreak" | "hardbreak":
                pieces.append("\n")
            case _:
                pieces.append(token.content)
    return "".join(pieces)


def _link(label: str, url: str) -> str:
    # A phone makes a bare address or number as tappable as a link.
    bare = url.removeprefix("mailto:").removeprefix("tel:")
    if _PARSER.normalizeLink(label) in (url, bare):
        return label
    return f"{label} ({bare})" if label else bare


def _literal(state: StateInline, silent: bool) -> bool:
    """The inline rule that takes ``_LITERAL`` as text. Silent, it only moves on, as every rule of the parser does."""
    literal = _LITERAL.match(state.src, state.pos, state.posMax)
    if literal is None:
        return False
    if not silent:
        state.append_pending(literal[0])
    state.pos = literal.end()
    return True


def _parser() -> MarkdownIt:
    # The parser drops what is nested deeper than this without a word; CommonMark's own 20 are no more than ten lists.
    parser = MarkdownIt("commonmark", {"maxNesting": 100}).enable(["table", "strikethrough"])
    parser.inline.ruler.before("emphasis", "literal", _literal)
    return parser


_PARSER = _parser()
