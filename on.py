#!/usr/bin/env python3
"""Turns actors written with handle(&cls::m) into actors with overloads of `on`: on.py FILE...  (or none: all under actors/ tests/ bench/)."""
import glob, re, sys

def close(text, at, open_, shut):
    """Index behind the bracket that closes the one at `at`."""
    depth = 0
    for i in range(at, len(text)):
        if text[i] == open_: depth += 1
        elif text[i] == shut:
            depth -= 1
            if depth == 0: return i + 1
    raise ValueError("unbalanced")

def args_of(text, at):
    """The arguments in the parentheses at `at`, split at top-level commas."""
    end = close(text, at, "(", ")")
    out, depth, last = [], 0, at + 1
    for i in range(at + 1, end - 1):
        c = text[i]
        if c in "([{<": depth += 1
        elif c in ")]}" or (c == ">" and text[i - 1] != "-"): depth -= 1
        elif c == "," and depth == 0: out.append(text[last:i]); last = i + 1
    out.append(text[last:end - 1])
    return [a.strip() for a in out], end

def convert_class(name, body, path):
    m = re.search(r"behavior_type make_behavior\(\) (?:override )?\{", body)
    if not m: return body
    end = close(body, m.end() - 1, "{", "}")
    inner = body[m.end():end - 1]
    ret = re.search(r"\n?[ \t]*return \{\s*(?:\[\]\(const [\w:]+&\) \{\},\s*)*handle\(.*?\};", inner, re.S)
    if not ret or "handle(&" not in ret.group(0):
        if "handle(&" in inner: print(f"{path}: {name}: by hand: make_behavior")
        return body
    methods = re.findall(r"handle\(&" + name + r"(?:<[^>]*>)?::(\w+)(?:<([^()]*?)>)?\)", ret.group(0))
    ignored = re.findall(r"\[\]\((const [\w:]+&)\) \{\}", ret.group(0))
    count = ret.group(0).count("handle(")
    if count != len(methods): print(f"{path}: {name}: {count} handlers, {len(methods)} understood")
    inner = inner[:ret.start()] + inner[ret.end():]
    if inner.strip():
        start = "void on_start() {" + (inner.rstrip() + "\n  }" if "\n" in inner.strip() or inner.startswith("\n") else inner.rstrip() + " }")
        body = body[:m.start()] + start + body[end:]
    else:
        tail = end
        while body[tail] == "\n": tail += 1
        body = body[:m.start()].rstrip(" ") + body[tail:].lstrip("\n")
        body = re.sub(r"\n\n\n+", "\n\n", body)
        body = re.sub(r"\n(?=[ ](?:private|protected):)", "\n", body)
    # templates: an overload each
    forwards = []
    for method, arguments in methods:
        if not arguments: continue
        request, reply = [a.strip() for a in arguments.split(",")]
        forwards.append((method, f"  void on(const {request}& request, reply<{reply}> owed) {{ {method}(request, owed); }}\n"))
    for method in dict.fromkeys(m for m, _ in forwards):
        lines = "".join(l for m, l in forwards if m == method)
        at = re.search(r"\n(?:  ///[^\n]*\n)*  template <[^\n]*>\n  void " + method + r"\(", body)
        if not at: print(f"{path}: {name}: by hand: template {method}"); continue
        body = body[:at.start() + 1] + lines + body[at.start() + 1:]
    # the rest: definitions and unqualified calls
    for method in dict.fromkeys(m for m, a in methods if not a):
        pattern = re.compile(r"(?<![\w.:&])(?<!->)" + method + r"\(")
        this = re.compile(r"(?<=this->)" + method + r"\(")
        definition = None
        others = []
        for hit in pattern.finditer(body):
            line_start = body.rfind("\n", 0, hit.start()) + 1
            before = body[line_start:hit.start()]
            if re.match(r"^\s*(?:\[\[nodiscard\]\] )?(?:void|core::result<.*>|static .*|[\w:<>,&* ]+)\s$", before) and not re.match(r"^\s*(return|else|co_return)\s$", before):
                args, _ = args_of(body, hit.end() - 1)
                got = re.match(r"const ([\w:]+)&(?: \w+)?$", args[0]) if args and args[0] else None
                if got and definition is None and before.strip().startswith(("void", "core::result<")): definition = (got.group(1), len(args))
                else: others.append(before.strip() + " " + method + "(" + ", ".join(args) + ")")
        if definition is None:
            print(f"{path}: {name}: by hand: definition of {method}"); continue
        if others: print(f"{path}: {name}: look at: {method} is also {others}")
        def rename(hit):
            return "on("
        out, last = [], 0
        hits = sorted([(h.start(), h.end()) for h in pattern.finditer(body)] + [(h.start(), h.end()) for h in this.finditer(body)])
        for start, end_ in hits:
            args, _ = args_of(body, end_ - 1)
            if len(args) != definition[1] or args == [""]:
                print(f"{path}: {name}: left: {method}({', '.join(args)})"[:150]); continue
            out.append(body[last:start] + "on(")
            last = end_
            if args[0].startswith("{"):
                out.append(definition[0])
        body = "".join(out) + body[last:]
    if "friend actor_base;" not in body:
        at = re.search(r"\n private:\n", body)
        if at: body = body[:at.end()] + "  friend actor_base;\n" + "".join(f"  void on({i}) {{}}\n" for i in ignored) + body[at.end():]
        else: print(f"{path}: {name}: no private part")
    return body

def convert(path):
    text = open(path).read()
    if "handle(&" not in text: return
    out, last = [], 0
    for m in re.finditer(r"^class (\w+)(?: final)? : public [^\n{;]*\{", text, re.M):
        if m.start() < last: continue
        end = close(text, m.end() - 1, "{", "}")
        out.append(text[last:m.start()] + convert_class(m.group(1), text[m.start():end], path))
        last = end
    text = "".join(out) + text[last:]
    if "handle(&" in text: print(f"{path}: handle(& is left")
    open(path, "w").write(text)

files = sys.argv[1:] or [f for d in ("actors", "tests", "bench") for e in ("cpp", "hpp") for f in glob.glob(f"{d}/**/*.{e}", recursive=True)]
for f in files:
    if not f.endswith("actors/runtime/actor_base.hpp"): convert(f)
