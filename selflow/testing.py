"""Public fakes of the ports, and the laws every implementation of a contract keeps."""
