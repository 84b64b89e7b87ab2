"""What a machine is: recipes, bake, catalogue, templates, machines, the guest agent and the wire."""
