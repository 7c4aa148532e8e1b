"""A stand-in for Xero and Twilio on loopback, as strict as they are, with its own record of what it accepted.

It imports nothing of the product. Whatever it does not know it refuses, because a stand-in that is kinder
than the provider hides exactly the faults that it is there to show.
"""
