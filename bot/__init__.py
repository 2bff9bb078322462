"""CodegenApp: a goal becomes a pull request, a validated check, a merge and a deployment."""
