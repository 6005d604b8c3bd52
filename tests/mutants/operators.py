"""What becomes of what, and where."""

import re

RELATIONAL = {"<": ("less", "<=", ">="), "<=": ("less_equal", "<", ">"), ">": ("greater", ">=", "<="), ">=": ("greater_equal", ">", "<")}
EQUALITY = {"==": ("equal", "!="), "!=": ("not_equal", "==")}
ARITHMETIC = {"+": ("plus", "-"), "-": ("minus", "+"), "*": ("times", "+"), "/": ("over", "*"), "%": ("modulo", "/"),
              "<<": ("left", ">>"), ">>": ("right", "<<"), "|": ("bit_or", "&"), "&": ("bit_and", "|"), "^": ("bit_xor", "|")}
WEAKER = {
    "load": {"seq_cst": ["acquire"], "acquire": ["relaxed"]},
    "store": {"seq_cst": ["release"], "release": ["relaxed"]},
    "atomic_thread_fence": {"seq_cst": ["acq_rel"], "acquire": ["relaxed"], "release": ["relaxed"]},
}
WEAKER_BOTH = {"seq_cst": ["acq_rel"], "acq_rel": ["acquire", "release"], "acquire": ["relaxed"], "release": ["relaxed"]}
SAYS_BREAKS = re.compile(r"!?\(?P::breaks\(Rule::\w+\)( \|\| P::breaks\(Rule::\w+\))*\)?$")
# A constant is tried where it is a value of its own. As an operand it says nothing that another operator does not.
VALUE_PLACES = {"CallExpr", "CXXMemberCallExpr", "InitListExpr", "CXXConstructExpr", "CXXTemporaryObjectExpr", "CXXUnresolvedConstructExpr",
                "ReturnStmt", "VarDecl", "BinaryOperator"}
EXPRESSIONS = {"CallExpr", "CXXMemberCallExpr", "CXXOperatorCallExpr", "BinaryOperator", "CompoundAssignOperator", "UnaryOperator"}
