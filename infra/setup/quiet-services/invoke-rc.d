#!/bin/sh
# Stands in for the system's program of this name while set-up installs packages: no service is started or stopped.
exit 0
