"""Values that depend on other values: ``${pick:...}`` and ``${calc:"..."}`` in a configuration.

Nothing here can run code: an expression is parsed, and only what is listed below is computed.
"""

import ast
import math
import operator

from lagom.experiment.schema import nearest

_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
}
_FUNCTIONS = {
    **{f.__name__: f for f in (abs, min, max, round, int, float, len)},
    **{f.__name__: f for f in (math.sqrt, math.exp, math.log, math.log2, math.log10)},
}


def pick(value, table):
    """The entry of ``table`` for ``value``, else its entry ``default``.

    Args:
        value (object): what decides, mostly another key: ``${env.id}``.
        table (dict): value -> result.

    Raises:
        ValueError: neither is there.

    Example:
        >>> pick("Hopper-v2", {"Ant-v2": 10, "default": 5})
        5
    """
    if not hasattr(table, "keys"):
        raise ValueError(
            f"pick: got {table!r}; expected a table such as {{Ant-v2: 10, default: 5}}"
        )
    names = {str(key): key for key in table}
    name = next((name for name in (str(value), "default") if name in names), None)
    if name is None:
        raise ValueError(
            f"pick: no entry for {value!r}{nearest(value, names)} "
            f"(there are: {', '.join(names)}); an entry 'default' serves all others"
        )
    return table[names[name]]


def calc(expression, look_up):
    """The value of an arithmetic or conditional expression over the configuration.

    Numbers, text, lists, ``+ - * / // %``, comparisons, ``in``, ``and or not``, ``a if b else c``,
    the functions abs, min, max, round, int, float, len, sqrt, exp, log, log2, log10, and keys by
    their dotted names.

    Args:
        expression (str): Python syntax.
        look_up (callable): dotted key -> value; raises ``KeyError``.

    Raises:
        ValueError: it is not such an expression, names an unknown key, or has no value.

    Example:
        >>> config = {"env.num_env": 2, "env.id": "Ant-v2"}
        >>> calc("3 * env.num_env if env.id == 'Ant-v2' else 1", config.__getitem__)
        6
    """

    def refuse(what):
        raise ValueError(f"calc: {what} in {expression!r}")

    def name_of(node):
        parts = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            refuse(f"{ast.unparse(node)} has no attributes; expected a key such as env.id")
        return ".".join([node.id, *reversed(parts)])

    def binary(op, a, b):
        if type(op) not in _OPERATORS:
            refuse(f"{type(op).__name__} is not supported")
        numbers = all(isinstance(x, int | float) for x in (a, b))
        if isinstance(op, ast.operator) and not numbers:  # 'a' * 10**9 would fill the memory
            refuse(f"cannot compute with {a!r} and {b!r}; expected numbers")
        return _OPERATORS[type(op)](a, b)

    def value(node):
        match node:
            case ast.Constant(value=bool() | int() | float() | str() | None as x):
                return x
            case ast.Name() | ast.Attribute():
                return look_up(name_of(node))
            case ast.List(elts=nodes) | ast.Tuple(elts=nodes):
                return [value(x) for x in nodes]
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return value(body) if value(test) else value(orelse)
            case ast.BoolOp(op=ast.And(), values=nodes):
                return all(value(x) for x in nodes)
            case ast.BoolOp(values=nodes):
                return any(value(x) for x in nodes)
            case ast.UnaryOp(op=op, operand=x) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](value(x))
            case ast.BinOp(left=a, op=op, right=b):
                return binary(op, value(a), value(b))
            case ast.Compare(left=a, ops=ops, comparators=nodes):
                chain = [value(a), *map(value, nodes)]
                pairs = zip(ops, chain, chain[1:], strict=False)
                return all(binary(op, x, y) for op, x, y in pairs)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
                return _FUNCTIONS[name](*map(value, args))
        refuse(f"{ast.unparse(node)!r} is not supported")

    try:
        return value(ast.parse(str(expression).strip(), mode="eval").body)
    except SyntaxError as error:
        refuse(f"{error.msg} at column {error.offset}")
    except KeyError as error:
        refuse(f"no such key: {error.args[0]}")
    except (TypeError, ArithmeticError, RecursionError) as error:
        refuse(error)
