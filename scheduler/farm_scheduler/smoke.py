"""The smoke check: what is done with a project that has no tests, and with a wheel. It is installed and imported.

Called by inference. The check runs in a guest, inside of tox, on any Python from 2.7; nothing of it runs here.
"""

CHECK = "python -m pip check"

_STATEMENTS = (
    "import csv, glob, importlib, os, sys, sysconfig",
    # The installed modules are meant, not those of the folder that tox runs in.
    "del sys.path[0]",
    "sites = set(sysconfig.get_path(name) for name in ('purelib', 'platlib'))",
    # pip writes this file beside what it installed from a file, and not for what came from an index (PEP 610).
    "marks = [mark for site in sites for mark in glob.glob(os.path.join(site, '*.dist-info', 'direct_url.json'))]",
    "lists = [os.path.join(os.path.dirname(mark), 'RECORD') for mark in marks]",
    "paths = [row[0].split('/') for each in lists for row in csv.reader(open(each)) if row]",
    "heads = [path[0].split('.')[0] for path in paths if path[-1].endswith(('.py', '.so'))]",
    "names = sorted(set(head for head in heads if head.replace('_', 'x').isalnum() and head != '__pycache__'))",
    "print('importing ' + (' '.join(names) or 'nothing, as no module is installed'))",
    # In a child, which says when each module is there: one that ends Python, with success, has not been imported.
    "sys.stdout.flush()",
    "reader, writer = os.pipe()",
    "child = os.fork()",
    "child or [os.write(writer, (importlib.import_module(name), b'.')[1]) for name in names]",
    "child or os._exit(0)",
    "status = os.waitpid(child, 0)[1]",
    "os.close(writer)",
    "done = len(os.read(reader, 65536))",
    "sys.exit(0 if done == len(names) else 1 if status else names[done] + ' ended Python when it was imported')",
)

IMPORT = f'python -c "{"; ".join(_STATEMENTS)}"'
"""Imports every top-level module of what was installed from a file. Free of what tox reads for itself: no braces, no
hash, no backslash, no colon before a space."""

COMMANDS = (IMPORT, CHECK)
