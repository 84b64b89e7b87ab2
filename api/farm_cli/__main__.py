"""`python -m farm_cli`, the same as `wheelfarm`.

Called by people without the script on their PATH. It holds nothing of its own.
"""

from farm_cli.main import main

if __name__ == "__main__":
    main()
