"""``python -m cityos`` is the command ``cityos``."""

from cityos.cli import main

if __name__ == "__main__":
    main()
