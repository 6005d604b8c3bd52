#!/usr/bin/env python3
"""Writes core/'s headers once more, with a switch at every place where a mutant of the table differs from it.

  mutate.py --clang CLANG --root SOURCES --out DIRECTORY

DIRECTORY/mutated/core/  what the algorithms are compiled from: all mutants at once, of which the program chooses one.
DIRECTORY/judge/core/    what the scenarios are compiled from: the values as they are, and no bodies of the algorithms, so that a mutant
                         is never in its own judge.
DIRECTORY/manifest.tsv   number, file, line, function, kind, whether total store order can show it, original, mutated, number of its like
"""

import argparse
import os
import re

import syntax
from operators import (RELATIONAL, EQUALITY, ARITHMETIC, WEAKER, WEAKER_BOTH, SAYS_BREAKS, VALUE_PLACES, EXPRESSIONS)

ALGORITHMS = ["core/table.hpp", "core/table.inl.hpp", "core/leases.hpp", "core/leases.inl.hpp", "core/names.hpp", "core/names.inl.hpp",
              "core/sessions.inl.hpp"]
VALUES = ["core/lease_word.hpp", "core/decisions.hpp", "core/name.hpp"]
# The simulator's self-test; and what other programs judge: names as text, times of renewal.
LEFT_OUT = {"offer_record", "grant_to_head", "was_granted", "utf8_sequence_bytes", "fault_of_name", "mixed", "renewal_due_ns",
            "jeopardy_from_ns", "is_outermost", "record_of"}

def flat(text):
    return re.sub(r"\s+", " ", text).strip()


class Mutator:
    def __init__(self, reader):
        self.reader = reader
        self.manifest = []
        self.likes = {}
        self.aside = False
        self.whole = None
        self.parent = None
        self.compared = []

    # ---- mutants --------------------------------------------------------------------------------------------------------------------

    def mutant(self, node, kind, mutated, visible=True):
        if self.aside:
            return 0
        original = flat(self.text[node.begin:node.end])
        mutated = flat(mutated)
        like = (self.file, self.function.name, kind, original, mutated)
        self.likes[like] = self.likes.get(like, 0) + 1
        line = self.text.count("\n", 0, node.begin) + 1
        number = len(self.manifest) + 1
        self.manifest.append((number, self.file, line, self.function.name, kind, int(visible), original, mutated, self.likes[like]))
        return number

    def source(self, node):
        return self.text[node.begin:node.end]

    def says_breaks(self, node):
        return SAYS_BREAKS.match(flat(self.source(node))) is not None

    # A condition that only holds where a rule is broken on purpose.
    def is_planted(self, node):
        if node.kind == "ParenExpr":
            return self.is_planted(node.children[0])
        if node.kind == "BinaryOperator" and node.data["opcode"] == "&&":
            return any(self.is_planted(child) for child in node.children)
        text = flat(self.source(node))
        return text in ("by_store", "raise_counter") or (self.says_breaks(node) and not text.startswith("!"))

    # ---- rendering ------------------------------------------------------------------------------------------------------------------

    def plain(self, node, skip=()):
        """The node's text with the mutants of its children in it."""
        out, at = [], node.begin
        for child in node.children:
            out.append(self.text[at:child.begin])
            out.append(self.source(child) if child in skip else self.render(child, node))
            at = child.end
        return "".join(out) + self.text[at:node.end]

    def render(self, node, parent):
        if node.kind == "Fixed" or self.says_breaks(node):
            return self.source(node)
        if self.is_statement(node, parent):
            return self.dropped(node)
        self.parent = parent
        return getattr(self, "render_" + node.kind, self.plain)(node)

    def is_value(self):
        """Whether the node that is being rendered is an argument, an initial value, or what is returned or assigned."""
        return self.parent is not None and self.parent.kind in VALUE_PLACES

    def is_statement(self, node, parent):
        if node.kind not in EXPRESSIONS or parent is None:
            return False
        if parent.kind in ("CompoundStmt", "CaseStmt", "DefaultStmt"):
            return True
        if parent.kind in ("IfStmt", "WhileStmt"):
            return node is not parent.children[0]
        return parent.kind in ("ForStmt", "CXXForRangeStmt") and node is parent.children[-1]

    def call_name(self, node):
        if node.kind not in ("CallExpr", "CXXMemberCallExpr") or not node.children:
            return ""
        return self.source(node.children[0]).rsplit("->")[-1].rsplit(".")[-1].rsplit("::")[-1]

    def dropped(self, node):
        name = self.call_name(node)
        kind = {"store": "store dropped", "fence": "fence dropped", "atomic_thread_fence": "fence dropped", "": "assignment dropped",
                "compare_exchange_strong": "CAS dropped"}.get(name, "call dropped")
        visible = not (kind == "fence dropped" and name == "atomic_thread_fence")
        number = self.mutant(node, kind, "", visible)
        return f"if (::tenure::mutants::stays({number})) {getattr(self, 'render_' + node.kind, self.plain)(node)}"

    def render_CompoundStmt(self, node):
        """Neighbours that are both expressions are also tried in the other order."""
        out, at = [], node.begin
        swap_before = None
        for i, child in enumerate(node.children):
            out.append(self.text[at:child.begin])
            at = child.end
            after = node.children[i + 1] if i + 1 < len(node.children) else None
            text = "{ " + self.render(child, node) + "; }" if self.is_statement(child, node) else self.render(child, node)
            if swap_before:
                text = f"if (::tenure::mutants::stays({swap_before})) {text}"
            swap_before = None
            if after and self.swappable(child, node) and self.swappable(after, node):
                pair = flat(self.source(after)) + "; " + flat(self.source(child)) + ";"
                both = syntax.Node("Pair", child.begin, after.end, {}, [])
                swap_before = self.mutant(both, "statements swapped", pair)
                first = self.copy(after, node)
                text = f"if (::tenure::mutants::on({swap_before})) {{ {first}; }}\n{text}"
            out.append(text)
        return "".join(out) + self.text[at:node.end]

    def copy(self, node, parent):
        """What will be rendered again where it stands: this one has no mutants."""
        outer, self.aside = self.aside, True
        text = self.render(node, parent)
        self.aside = outer
        return text

    def swappable(self, node, parent):
        return node.kind in ("CallExpr", "CXXMemberCallExpr") and self.is_statement(node, parent) and not self.says_breaks(node)

    def render_CaseStmt(self, node):
        return self.plain(node, skip=node.children[:1])

    def render_IfStmt(self, node):
        condition = node.children[0]
        if node.data.get("isConstexpr"):
            return self.source(node)
        if self.is_planted(condition):
            return self.plain(node, skip=node.children[:2])
        if self.says_breaks(condition):
            return self.plain(node)
        return self.with_condition(node, condition)

    def with_condition(self, node, condition, kinds=("condition true", "condition false")):
        always = self.mutant(condition, kinds[0], "true") if kinds[0] else 0
        never = self.mutant(condition, kinds[1], "false")
        self.whole = condition  # its opposite would say nothing that these two do not
        inner = self.render(condition, None)
        text = f"::tenure::mutants::condition({always}, {never}, static_cast<bool>({inner}))"
        rest = syntax.Node(node.kind, condition.end, node.end, node.data, node.children[1:])
        if node.kind == "ConditionalOperator":
            return self.text[node.begin:condition.begin] + text + self.plain(rest)
        out, at = [], condition.end
        for child in node.children[1:]:
            out.append(self.text[at:child.begin])
            text_of_child = self.render(child, node)
            out.append("{ " + text_of_child + "; }" if self.is_statement(child, node) else text_of_child)
            at = child.end
            if self.is_statement(child, node):
                at = self.text.index(";", child.end) + 1 if at < node.end or self.text[at:].lstrip().startswith(";") else at
        return self.text[node.begin:condition.begin] + text + "".join(out) + self.text[at:node.end]

    def render_WhileStmt(self, node):
        condition = node.children[0]
        return self.with_condition(node, condition, (None, "condition false"))

    def render_ConditionalOperator(self, node):
        condition = node.children[0]
        if self.is_planted(condition) or self.says_breaks(condition):
            return self.plain(node)
        return self.with_condition(node, condition)

    def render_ForStmt(self, node):
        return self.plain(node, skip=[child for child in node.children[:-1] if child.kind in ("DeclStmt", "UnaryOperator")])

    def render_CXXForRangeStmt(self, node):
        body = node.children[-1]
        return self.text[node.begin:body.begin] + self.render(body, node) + self.text[body.end:node.end]

    def render_LambdaExpr(self, node):
        returns, self.returns = self.returns, "auto"
        text = self.plain(node)
        self.returns = returns
        return text

    def render_ReturnStmt(self, node):
        if not node.children:
            return self.source(node)
        value = node.children[0]
        literal = value.kind in ("CXXBoolLiteralExpr", "IntegerLiteral", "DeclRefExpr") and "referencedDecl" not in value.data
        if self.returns == "bool" and not literal:
            number = self.mutant(value, "return value", f"!({self.source(value)})")
            return f"return ::tenure::mutants::flip({number}, static_cast<bool>({self.render(value, None)}))"
        if self.returns in ("uint32_t", "uint64_t", "std::size_t") and not literal:
            number = self.mutant(value, "return value", f"({self.source(value)}) + 1")
            return f"return static_cast<{self.returns}>(::tenure::mutants::number({number}, {self.render(value, None)}))"
        return self.plain(node)

    def render_BinaryOperator(self, node):
        operator = node.data["opcode"]
        if len(node.children) != 2:
            return self.plain(node)
        left, right = node.children
        if operator in ("&&", "||"):
            if self.says_breaks(left) or self.says_breaks(right) or self.is_planted(node):
                return self.plain(node, skip=node.children if self.is_planted(node) else [])
            if any(self.is_planted(child) for child in node.children):
                return self.plain(node, skip=[child for child in node.children if self.is_planted(child)])
            other = "||" if operator == "&&" else "&&"
            number = self.mutant(node, "logical operator", f"{self.source(left)} {other} {self.source(right)}")
            name = "both" if operator == "&&" else "either"
            first, second = self.render(left, None), self.render(right, None)
            lazy = f"[&]() -> bool {{ return static_cast<bool>({second}); }}"
            return f"::tenure::mutants::{name}({number}, static_cast<bool>({first}), {lazy})"

        def with_operator(other):
            return f"{self.source(left)} {other} {self.source(right)}"

        if operator in RELATIONAL:
            name, boundary, negated = RELATIONAL[operator]
            first = self.mutant(node, "boundary", with_operator(boundary))
            second = 0 if node is self.whole else self.mutant(node, "comparison negated", with_operator(negated))
            return f"::tenure::mutants::{name}({first}, {second}, {self.render(left, None)}, {self.render(right, None)})"
        if operator in EQUALITY or operator in ARITHMETIC:
            name, other = (EQUALITY | ARITHMETIC)[operator]
            if operator in EQUALITY:  # another constant in a comparison: much the same as none
                self.compared += [child for child in node.children if child.kind.endswith("DeclRefExpr")]
            kind = "comparison negated" if operator in EQUALITY else "arithmetic operator"
            number = 0 if node is self.whole else self.mutant(node, kind, with_operator(other))
            return f"::tenure::mutants::{name}({number}, {self.render(left, None)}, {self.render(right, None)})"
        return self.plain(node)

    def render_UnaryOperator(self, node):
        operator, operand = node.data["opcode"], node.children[0] if node.children else None
        if operand and operator in ("!", "~") and not self.says_breaks(operand):
            number = 0 if node is self.whole else self.mutant(node, "negation dropped", self.source(operand))
            name = "negated" if operator == "!" else "complement"
            return f"::tenure::mutants::{name}({number}, {self.render(operand, None)})"
        return self.plain(node)

    def render_IntegerLiteral(self, node):
        text = self.source(node)
        if not self.is_value():
            return text
        value = int(node.data["value"])
        return f"::tenure::mutants::number({self.mutant(node, 'constant', str(value + 1))}, {text})"

    def render_CXXBoolLiteralExpr(self, node):
        text = self.source(node)
        return f"::tenure::mutants::flip({self.mutant(node, 'constant', 'false' if text == 'true' else 'true')}, {text})"

    def render_DeclRefExpr(self, node):
        declaration = node.data.get("referencedDecl", {})
        text = self.source(node)
        following = self.reader.enumerators.get(declaration.get("id")) or self.reader.enumerators.get(text)
        if following and (node in self.compared or self.parent is None):
            return text
        if following:
            other = text[:text.rfind("::") + 2] + following
            return f"::tenure::mutants::pick({self.mutant(node, 'enumerator', other)}, {text}, {other})"
        if declaration.get("kind") == "VarDecl" and declaration["id"] in self.reader.constants and self.is_value():
            return f"::tenure::mutants::number({self.mutant(node, 'constant', text + ' + 1')}, {text})"
        return text

    render_DependentScopeDeclRefExpr = render_DeclRefExpr

    # ---- calls ----------------------------------------------------------------------------------------------------------------------

    def order(self, node, name):
        strength = self.source(node).rsplit("memory_order_")[-1]
        text = self.source(node)
        for weaker in WEAKER.get(name, WEAKER_BOTH).get(strength, []):
            # A store that is not seq_cst waits in the buffer, whatever else it is; no other order shows there.
            visible = name == "store" and strength == "seq_cst"
            number = self.mutant(node, "memory order", f"{weaker}, of {name}", visible)
            text = f"::tenure::mutants::pick({number}, {text}, std::memory_order_{weaker})"
        return text

    def render_CallExpr(self, node):
        name = self.call_name(node)
        orders = [child for child in node.children[1:] if flat(self.source(child)).startswith("std::memory_order_")]
        if not orders:
            return self.plain(node)
        arguments = [self.order(child, name) if child in orders else self.render(child, node) for child in node.children[1:]]
        member = node.children[0]
        if name not in ("compare_exchange_strong", "fetch_add") or not member.children:
            return f"{self.render(member, None)}({', '.join(arguments)})"
        target = self.render(member.children[0], None)
        if name == "fetch_add":
            number = self.mutant(node, "RMW in two steps", "load, then store")
            return f"::tenure::mutants::fetch_add({number}, {target}, {', '.join(arguments)})"
        blind = self.mutant(node, "CAS blind", "store, true")
        steps = self.mutant(node, "CAS in two steps", "load, compare, store")
        return f"::tenure::mutants::cas({blind}, {steps}, {target}, {', '.join(arguments)})"

    render_CXXMemberCallExpr = render_CallExpr

    # ---- files ----------------------------------------------------------------------------------------------------------------------

    def mutated(self, file, text, functions, inlined):
        """`inlined`: the functions are values that the judge has too; a copy of a mutant must not stand in for its own."""
        self.file, self.text = file, text
        out, at = [], 0
        for function in sorted(functions, key=lambda f: f.body.begin):
            self.function, self.returns = function, function.returns
            if function.body.begin < at:  # inside another: a lambda
                continue
            if inlined:
                begin = text.index("]]", function.begin) + 2 if text.startswith("[[", function.begin) else function.begin
                out += [text[at:begin], " __attribute__((always_inline)) "]
                at = begin
            if function.name in LEFT_OUT:
                continue
            out += [text[at:function.body.begin], self.render(function.body, None)]
            at = function.body.end
        body = "".join(out) + text[at:]
        return without_inlining(body).replace("#pragma once\n", '#pragma once\n\n#include "tests/mutants/switches.hpp"\n', 1)


def without_inlining(text):
    """The scenarios call what is otherwise inlined, so that they call the mutant."""
    text = text.replace("[[nodiscard, gnu::always_inline]] inline", "[[nodiscard]]").replace("[[gnu::always_inline]] inline", "")
    return re.sub(r"(template <class P>\n)inline ", r"\1", text)


def write(path, text):
    """What has not changed keeps its time, so that nothing is compiled again for it."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.exists(path):
        with open(path, encoding="latin-1") as file:
            if file.read() == text:
                return
    with open(path, "w", encoding="latin-1") as file:
        file.write(text)


def main():
    parser = argparse.ArgumentParser()
    for option in ("--clang", "--root", "--out"):
        parser.add_argument(option, required=True)
    options = parser.parse_args()
    root, out = os.path.realpath(options.root), options.out
    source = os.path.join(out, "core.cpp")
    write(source, "".join(f'#include "{file}"\n' for file in ALGORITHMS if file.endswith(".inl.hpp")))
    reader = syntax.read(options.clang, root, source, [f"-I{root}", f"-I{root}/core/include"])
    mutator = Mutator(reader)
    for file in VALUES + ALGORITHMS:
        with open(os.path.join(root, file), encoding="latin-1") as stream:
            text = stream.read()
        functions = reader.functions.get(file, [])
        write(os.path.join(out, "mutated", file), mutator.mutated(file, text, functions, file in VALUES))
        if file.endswith(".inl.hpp"):
            text = "#pragma once\n" + "".join(line + "\n" for line in text.split("\n") if line.startswith("#include"))
        if file in ALGORITHMS:
            write(os.path.join(out, "judge", file), without_inlining(text))
    lines = ["\t".join(str(field) for field in mutant) + "\n" for mutant in mutator.manifest]
    write(os.path.join(out, "manifest.tsv"), "".join(lines))


main()
