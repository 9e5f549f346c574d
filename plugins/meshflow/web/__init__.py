"""What people and registries reach over HTTP: the image-push webhook and the audit pages."""
