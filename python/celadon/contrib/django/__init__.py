"""Django: ``manage.py runserver`` on celadon.

Put ``celadon.contrib.django`` first into ``INSTALLED_APPS``.
"""
