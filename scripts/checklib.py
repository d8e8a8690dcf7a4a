# SPDX-License-Identifier: GPL-2.0-or-later
"""Shared parts of the checks of the tree: command line, report, and the prose of a source file.

The prose of a file is its comments, docstrings, string literals and Markdown text. The module needs
nothing besides Python's standard library.
"""

import argparse
import collections
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
C_SUFFIXES = (".c", ".h", ".def", ".S", ".dts")
# Tracked files that contain data and no prose of this project.
DATA = re.compile(r"^(LICENSE|tests/fuzz/corpus/|tests/migration/golden/|\.git|.*\.(svg|cfg|supp)$)")


@dataclass(frozen=True)
class Finding:
    """A place that a check rejects."""
    path: str
    line: int
    text: str


@dataclass
class Prose:
    """A piece of prose: one comment, one literal or one paragraph."""
    kind: str                       # "comment", "docstring", "string" or "text" (Markdown)
    lines: list[tuple[int, str]]    # line number in the file, text without decoration

    def text(self) -> str:
        """Return the lines joined by newlines."""
        return "\n".join(text for _, text in self.lines)

    def line_at(self, offset: int) -> int:
        """Return the line number in the file of an offset in text()."""
        return self.lines[self.text().count("\n", 0, offset)][0]


def tracked(*patterns: str) -> list[str]:
    """Return the tracked files that exist, relative to the top directory."""
    done = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=TOP, check=True, text=True,
                          stdout=subprocess.PIPE)
    return [name for name in done.stdout.split("\0") if name and (TOP / name).is_file()]


def is_below(path: str, folders: tuple[str, ...]) -> bool:
    """Return whether a path is one of the files or directories, or is below one of them."""
    return any(path == folder or path.startswith(folder + "/") for folder in folders)


def without_comments(text: str) -> str:
    """Return C text with the same line numbers, without comments and contents of literals."""
    def blank(match: re.Match) -> str:
        token = match.group()
        return "\n" * token.count("\n") if token[0] == "/" else token[0] + token[0]
    return C_TOKEN.sub(blank, text)


def language(name: str) -> str | None:
    """Return the language of a file ("c", "python", "shell", "markdown", "hash") or None for data."""
    path = Path(name)
    if DATA.match(name):
        return None
    if path.suffix in C_SUFFIXES:
        return "c"
    if path.suffix == ".md":
        return "markdown"
    if path.suffix == ".py":
        return "python"
    if path.suffix == ".sh":
        return "shell"
    if path.suffix in (".yml", ".yaml", ".txt", ".rules") or \
            path.name in ("meson.build", "meson_options.txt", "MAINTAINERS"):
        return "hash"
    if path.suffix:
        return None
    with open(TOP / name, "rb") as source:
        first = source.readline(200)
    if first.startswith(b"#!"):
        return "python" if b"python" in first else "shell" if b"sh" in first else None
    return None


def undecorated(start: int, comment: str) -> Prose:
    """Make a piece of a C comment, without its delimiters and leading asterisks."""
    body = comment[2:].removesuffix("*/")
    lines = [(start + i, re.sub(r"^\s*\*?\s?", "", line).rstrip())
             for i, line in enumerate(body.split("\n"))]
    return Prose("comment", lines)


C_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'', re.S)


def c_prose(text: str) -> Iterator[Prose]:
    """Yield the comments and string literals of a C file; adjacent literals are one piece."""
    literal: Prose | None = None
    end = 0
    for match in C_TOKEN.finditer(text):
        token = match.group()
        line = text.count("\n", 0, match.start()) + 1
        if token[0] == '"':
            if text.rfind("#include", text.rfind("\n", 0, match.start()) + 1, match.start()) >= 0:
                continue
            between = text[end:match.start()]
            if literal is None or not re.fullmatch(r"[\s\\]*(PRI[a-zA-Z0-9]+\s*)?", between):
                if literal:
                    yield literal
                literal = Prose("string", [])
            body = token[1:-1].replace("\\n", " ").replace('\\"', '"')
            if literal.lines and literal.lines[-1][0] == line:
                literal.lines[-1] = (line, literal.lines[-1][1] + body)
            else:
                literal.lines.append((line, body))
            end = match.end()
        elif token[0] == "/":
            if literal:
                yield literal
                literal = None
            yield undecorated(line, token)
    if literal:
        yield literal


def python_prose(text: str) -> Iterator[Prose]:
    """Yield the comments, docstrings and string literals of a Python file."""
    literal: Prose | None = None
    comment: Prose | None = None
    statement = True                # a string here is a statement of its own
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        name = tokenize.tok_name[token.type]
        line = token.start[0]
        if name == "COMMENT":
            body = token.string.lstrip("#").strip()
            if comment and comment.lines[-1][0] == line - 1:
                comment.lines.append((line, body))
                continue
            if comment:
                yield comment
            comment = Prose("comment", [(line, body)])
        elif name in ("STRING", "FSTRING_MIDDLE"):
            body = token.string
            if name == "STRING":
                body = re.sub(r"^[a-zA-Z]*(\"\"\"|'''|\"|')(.*)\1$", r"\2", body, flags=re.S)
            rows = [(line + i, row.strip()) for i, row in
                    enumerate(body.replace("\\n", " ").split("\n"))]
            if literal is None:
                literal = Prose("docstring" if statement and name == "STRING" else "string", [])
            if literal.lines and literal.lines[-1][0] == rows[0][0]:
                literal.lines[-1] = (rows[0][0], literal.lines[-1][1] + rows.pop(0)[1])
            literal.lines += rows
        elif literal and name not in ("NL", "FSTRING_START", "FSTRING_END"):
            yield literal
            literal = None
        if name not in ("COMMENT", "NL"):
            statement = name in ("NEWLINE", "INDENT", "DEDENT", "ENCODING")
    yield from (piece for piece in (comment, literal) if piece)


def hash_prose(text: str, strings: bool) -> Iterator[Prose]:
    """Yield the comments of a shell script or a meson file and, with @strings, quoted texts."""
    comment: Prose | None = None
    for number, line in enumerate(text.split("\n"), 1):
        match = re.match(r"^\s*#+!?\s?(.*)$", line) or re.search(r"\s#\s(.*)$", line)
        if match and number > 1:
            if comment and comment.lines[-1][0] == number - 1:
                comment.lines.append((number, match.group(1)))
            else:
                if comment:
                    yield comment
                comment = Prose("comment", [(number, match.group(1))])
            line = line[:match.start()]
        if strings:
            for quoted in re.findall(r"\"((?:[^\"\\]|\\.)*)\"|'([^']*)'", line):
                yield Prose("string", [(number, quoted[0] or quoted[1])])
    if comment:
        yield comment


def markdown_prose(text: str) -> Iterator[Prose]:
    """Yield the paragraphs of a Markdown file without code blocks and code spans."""
    fenced = False
    lines: list[tuple[int, str]] = []
    previous_blank = True
    for number, line in enumerate(text.split("\n") + [""], 1):
        if re.match(r"\s*(```|~~~)", line):
            fenced = not fenced
            line = ""
        elif fenced or (re.match(r"    ", line) and (previous_blank and not lines)):
            line = ""
            previous_blank = True
        if line.strip():
            lines.append((number, line))
            previous_blank = False
        elif lines:
            body = re.sub(r"`[^`]*`", lambda m: "`" + "\n" * m.group().count("\n") + "`",
                          "\n".join(part for _, part in lines))
            yield Prose("text", [(n, part) for (n, _), part in zip(lines, body.split("\n"))])
            lines = []
            previous_blank = True


def prose(name: str) -> list[Prose]:
    """Return the prose of a tracked file; empty for data and for generated text."""
    kind = language(name)
    if kind is None:
        return []
    text = (TOP / name).read_text(encoding="utf-8", errors="replace")
    if kind == "c":
        return list(c_prose(text))
    if kind == "python":
        return list(python_prose(text))
    if kind == "markdown":
        return list(markdown_prose(text))
    return list(hash_prose(text, kind == "shell" or name.endswith("meson_options.txt")))


def arguments(doc: str) -> argparse.Namespace:
    """Parse the command line of a check: --count and paths, which become relative to TOP."""
    parser = argparse.ArgumentParser(description=doc.partition("\n")[0])
    parser.add_argument("--count", action="store_true",
                        help="print the number of findings of each directory instead")
    parser.add_argument("path", nargs="*", help="files or directories (default: all)")
    args = parser.parse_args()
    paths = [str(Path(path).resolve().relative_to(TOP)) for path in args.path]
    args.path = () if "." in paths else tuple(paths)
    return args


def report(title: str, found: list[Finding], args: argparse.Namespace,
           unconverted: tuple[str, ...] = ()) -> int:
    """Print findings or counts; return 1 if there is a finding in args.path or, without paths,
    outside of the directories in @unconverted.
    """
    found = sorted((f for f in found if not args.path or is_below(f.path, args.path)),
                   key=lambda f: (f.path, f.line))
    wrong = [f for f in found if args.path or not is_below(f.path, unconverted)]
    if args.count:
        counts = collections.Counter(str(Path(f.path).parent) for f in found)
        for folder, count in sorted(counts.items()):
            print(f"{count:6} {folder}")
    else:
        for finding in wrong:
            print(f"{finding.path}:{finding.line}: {finding.text}")
    later = len(found) - len(wrong)
    print(f"{title}: {len(found)} findings"
          + (f", {later} of them in directories that are not converted yet" if later else ""))
    return 1 if wrong and not args.count else 0
