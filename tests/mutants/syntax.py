"""The syntax tree of core/'s headers, as clang sees it: functions, statements and expressions with where they stand in their file."""

import json
import subprocess

# Nodes that are not in the text: they stand for their only child.
WRAPPERS = {
    "ImplicitCastExpr", "ExprWithCleanups", "MaterializeTemporaryExpr", "CXXBindTemporaryExpr", "ConstantExpr", "FullExpr",
    "SubstNonTypeTemplateParmExpr", "AttributedStmt",
}


class Node:
    def __init__(self, kind, begin, end, data, children):
        self.kind, self.begin, self.end, self.data, self.children = kind, begin, end, data, children

    def walk(self):
        yield self
        for child in self.children:
            yield from child.walk()


class Function:
    def __init__(self, name, begin, returns, body, in_class):
        self.name, self.begin, self.returns, self.body, self.in_class = name, begin, returns, body, in_class


class Reader:
    """Reads clang's dump. A location names its file only where that differs from the one printed before it, so the walk is in order."""

    def __init__(self, root):
        self.root = root.rstrip("/") + "/"
        self.file = None
        self.functions = {}  # file -> [Function]
        self.constants = set()  # ids of integral constants
        self.enumerators = {}  # id, or name with its enumeration's -> name of the next one of that
        self.seen = set()

    def place(self, location):
        """(file, offset, end) of a location, or None where it is in no file or in a macro."""
        if "spellingLoc" in location or "expansionLoc" in location:
            for key in ("spellingLoc", "expansionLoc"):
                if key in location:
                    self.place(location[key])
            return None
        if "file" in location:
            self.file = location["file"]
        if "offset" not in location:
            return None
        return self.file, location["offset"], location["offset"] + location["tokLen"]

    def span(self, data):
        self.place(data.get("loc", {}))
        extent = data.get("range", {})
        begin, end = self.place(extent.get("begin", {})), self.place(extent.get("end", {}))
        if begin is None or end is None or begin[0] != end[0] or not begin[0].startswith(self.root):
            return None
        return begin[0][len(self.root):], begin[1], end[2]

    def node(self, data):
        """The node, as a list of none, one or several: what is not in the text is left out."""
        span = self.span(data)
        children = [node for child in data.get("inner", []) for node in self.node(child)]
        kind = data.get("kind", "")
        if kind in ("CXXRecordDecl", "FieldDecl", "StaticAssertDecl", "ParmVarDecl"):
            return []
        if span is None or kind in WRAPPERS and not (kind == "ConstantExpr"):
            return children
        if kind == "ConstantExpr" or kind == "VarDecl" and data.get("constexpr"):
            return [Node("Fixed", span[1], span[2], data, [])]
        distinct, last = [], -1
        for child in sorted(children, key=lambda c: (c.begin, -c.end)):
            if child.begin >= last and span[1] <= child.begin and child.end <= span[2]:
                distinct.append(child)
                last = child.end
        return [Node(kind, span[1], span[2], data, distinct)]

    def declaration(self, data, owner, in_class):
        kind, name = data.get("kind", ""), data.get("name", "")
        if kind in ("FunctionDecl", "CXXMethodDecl"):
            span = self.span(data)
            nodes = [node for child in data.get("inner", []) for node in self.node(child)]
            body = [node for node in nodes if node.kind == "CompoundStmt"]
            if span and body and not data.get("isImplicit") and (span[0], body[0].begin) not in self.seen:
                self.seen.add((span[0], body[0].begin))
                returns = data["type"]["qualType"].split("(")[0].strip()
                self.functions.setdefault(span[0], []).append(Function(name, span[1], returns, body[0], in_class))
            return
        self.span(data)
        if kind == "VarDecl" and data.get("constexpr") and "int" in data["type"]["qualType"]:
            self.constants.add(data["id"])
        if kind == "EnumDecl":
            names = [child for child in data.get("inner", []) if child.get("kind") == "EnumConstantDecl"]
            for i, child in enumerate(names):
                following = names[(i + 1) % len(names)]["name"]
                self.enumerators[child["id"]] = self.enumerators[name + "::" + child["name"]] = following
        inside = kind in ("CXXRecordDecl", "ClassTemplateDecl")
        for child in data.get("inner", []):
            self.declaration(child, name or owner, inside)


def read(clang, root, source, flags):
    dump = ["-fsyntax-only", "-Xclang", "-ast-dump=json", "-Xclang", "-ast-dump-filter=tenure::core"]
    command = [clang, "-std=c++20", *dump, *flags, source]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    reader, decoder, at = Reader(root), json.JSONDecoder(), 0
    while (at := text.find("{", at)) >= 0:
        data, at = decoder.raw_decode(text, at)
        reader.declaration(data, "", False)
    return reader
