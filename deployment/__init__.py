"""What makes azuredeploy.json: the infrastructure by hand (`*.yaml` here), the content from its own sources."""
