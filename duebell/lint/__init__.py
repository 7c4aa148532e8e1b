"""The lint of a policy and its templates: what a person should mend, or know, before a customer sees it."""
