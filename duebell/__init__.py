"""Whether somebody is told, of what, when and how: plain Python that never imports Prefect."""
