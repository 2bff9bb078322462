SECRET_KEY = "only for development"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["stock"]
ROOT_URLCONF = "stock.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
