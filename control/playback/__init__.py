"""Sessions and the manifests made for them."""
