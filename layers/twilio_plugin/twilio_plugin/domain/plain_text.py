"""Markdown as a person reads it in a text message, where nothing renders it."""

import re
from collections.abc import Iterable
from textwrap import indent

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.tree import SyntaxTreeNode

# From "://" to where a URL cannot go on, or where Markdown around it does. `_` inside is the URL's, at its end it is not.
_REST_OF_URL = re.compile(r"://[^\s<>()\[\]*`~\\&]*[^\s<>()\[\]*`~\\&_.,:;!?'\"]")


def plain_text(markdown: str) -> str:
    """The text of a CommonMark document (with tables and strikethrough), its blocks one blank line apart.

    ``[label](url)`` becomes ``label (url)``; bullets become ``- ``, numbers and code stay, a table's cells are separated by
    `` | ``, HTML is left as it is. What only looks like Markdown stays: ``5*3*2``, ``*123#``, a bare URL's underscores.
    """
    return _blocks(SyntaxTreeNode(_PARSER.parse(markdown)).children)


def _blocks(nodes: Iterable[SyntaxTreeNode], *, gap: str = "\n\n") -> str:
    # A thematic break and an empty heading are empty here: what remains of them is the gap.
    return gap.join(text for text in map(_block, nodes) if text)


def _block(node: SyntaxTreeNode) -> str:
    match node.type:
        case "bullet_list" | "ordered_list":
            return _list(node)
        case "table":
            rows = (row for section in node.children for row in section.children)
            return "\n".join(" | ".join(_inline(cell.children) for cell in row.children) for row in rows)
        case "fence" | "code_block" | "html_block":
            return node.content.removesuffix("\n")
        case "blockquote":
            return _blocks(node.children)
        case _:
            return _inline(node.children)


def _list(node: SyntaxTreeNode) -> str:
    """The items, in the source's spacing: a blank line between them only where the list has some.

    Numbers are the source's as long as they go up, since a person may be asked to answer with one; ``1. 1. 1.`` counts.
    """
    loose = any(block.type == "paragraph" and not block.hidden for item in node.children for block in item.children)
    gap = "\n\n" if loose else "\n"
    items: list[str] = []
    number = -1
    for item in node.children:
        marker = "-"
        if node.type == "ordered_list":
            number = max(int(item.info), number + 1)
            marker = f"{number}{item.markup}"
        text = indent(_blocks(item.children, gap=gap), "  ").removeprefix("  ")
        items.append(f"{marker} {text}".rstrip())
    return gap.join(items)


def _inline(nodes: Iterable[SyntaxTreeNode]) -> str:
    return "".join(map(_span, nodes))


def _span(node: SyntaxTreeNode) -> str:
    match node.type:
        case "softbreak" | "hardbreak":
            return "\n"
        case "link":
            return _link(_inline(node.children), str(node.attrs["href"]))
        case "image":
            return _link(_inline(node.children), str(node.attrs["src"]))
        case _:
            return node.content if not node.children else _inline(node.children)


def _link(label: str, url: str) -> str:
    # A phone makes a bare address or number as tappable as a link.
    bare = url.removeprefix("mailto:").removeprefix("tel:")
    if not label or _PARSER.normalizeLink(label) in (url, bare):
        return bare
    return f"{label} ({bare})"


def _literal_asterisk(state: StateInline, silent: bool) -> bool:
    """An asterisk between digits is arithmetic or a dial code (``5*3``, ``*123*4#``), though emphasis to CommonMark."""
    around = state.src[max(state.pos - 1, 0) : state.pos + 2]
    if not (len(around) == 3 and around[0].isdigit() and around[1] == "*" and around[2].isdigit()):
        return False
    return _take(state, 1, silent)


def _literal_url(state: StateInline, silent: bool) -> bool:
    """A bare URL's ``_`` is no emphasis: ``https://example.com/_a_/b`` would otherwise lose two characters."""
    if not state.src.endswith(("http", "https"), 0, state.pos):
        return False
    rest = _REST_OF_URL.match(state.src, state.pos)
    return rest is not None and _take(state, len(rest[0]), silent)


def _take(state: StateInline, length: int, silent: bool) -> bool:
    end = state.pos + length
    if not silent:
        state.append_pending(state.src[state.pos : end])
    state.pos = end
    return True


def _parser() -> MarkdownIt:
    # CommonMark's own nesting limit of 20 silently drops what is nested deeper: ten lists.
    parser = MarkdownIt("commonmark", {"maxNesting": 100}).enable(["table", "strikethrough"])
    parser.inline.ruler.before("emphasis", "literal_asterisk", _literal_asterisk)
    parser.inline.ruler.before("emphasis", "literal_url", _literal_url)
    return parser


_PARSER = _parser()
