"""The page as hosted notebooks and Spaces start it: any host, the port from the environment."""

import os

from undegrade.web.page import launch

if __name__ == "__main__":
    launch(host="0.0.0.0", port=int(os.environ.get("PORT") or os.environ.get("GRADIO_SERVER_PORT") or 7860))
