"""The titles there are: kept from the origin's, checked before they are believed."""
